"""`gpu-inference cluster …`: bring a cluster up, look at it, give it GPUs and images, remove it."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gpu_inference.cli.options import FILE, output_option, print_json
from gpu_inference.cluster import (
    DEFAULT_NAME,
    Cluster,
    ClusterStatus,
    LocalImage,
    open_cluster,
    provider_names,
)
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import find_engine
from gpu_inference.image.engine import as_built_image
from gpu_inference.names import full_name
from gpu_inference.paths import state_directory
from gpu_inference.progress import Progress
from gpu_inference_testing import gpus, keda
from gpu_inference_testing.archive import ArchivedImage
from gpu_inference_testing.toolchain import debian, preflight
from gpu_inference_testing.toolchain.programs import build_programs

Command = TypeVar("Command", bound=Callable[..., Any])


def _of_a_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which cluster is meant; the function gets it instead of them."""

    @click.option(
        "--provider",
        type=click.Choice(provider_names()),
        default="embedded",
        help="embedded: made here, as root (the default); kind: by kind, in Docker; kubeconfig: one you have",
    )
    @click.option("--name", default=DEFAULT_NAME, help=f"which cluster (default: {DEFAULT_NAME})")
    @click.option("--kubeconfig", type=FILE, metavar="FILE", help="for --provider kubeconfig")
    @click.option("--context", help="for --provider kubeconfig: the context in it")
    @click.option(
        "--simulate-gpus",
        is_flag=True,
        # Not given is not the same as False where it belongs to another provider.
        callback=lambda _context, _option, value: value or None,
        help="for --provider kubeconfig: a test cluster: its node may advertise GPUs it lacks",
    )
    @functools.wraps(command)
    def with_cluster(
        provider: str,
        name: str,
        kubeconfig: Path | None,
        context: str | None,
        simulate_gpus: bool | None,
        cpu_overcommit: bool | None = None,
        address_range: str | None = None,
        **rest: Any,
    ) -> Any:
        cluster = open_cluster(
            provider,
            name,
            kubeconfig=kubeconfig,
            context=context,
            simulate_gpus=simulate_gpus,
            cpu_overcommit=cpu_overcommit,
            address_range=address_range,
            progress=Progress(),
        )
        return command(cluster, **rest)

    return with_cluster


def _gpu_options(command: Command) -> Command:
    for option in (
        click.option(
            "--gpu-mode",
            "mode",
            type=click.Choice(["patch", "plugin"]),
            default="patch",
            help="patch: write the node's status; plugin (embedded only): run a device plugin, which also "
            "gives containers NVIDIA_VISIBLE_DEVICES (default: patch)",
        ),
        click.option(
            "--product",
            default=gpus.DEFAULT_PRODUCT,
            help=f"what the GPUs are (default: {gpus.DEFAULT_PRODUCT})",
        ),
    ):
        command = option(command)
    return command


@click.group("cluster")
def commands() -> None:
    """Bring up a Kubernetes cluster on this machine, or use another."""


@commands.command()
@_of_a_cluster
@click.option(
    "--gpus", "count", type=int, metavar="N", help="let its node advertise N GPUs that are not there"
)
@_gpu_options
@click.option(
    "--cpu-overcommit/--no-cpu-overcommit",
    default=None,
    help="embedded: lower the CPU requests of new pods to at most 100m, so that a small machine can run "
    "what was made for a big one; GPUs, memory and limits are not touched (on for a new cluster)",
)
@click.option("--address-range", metavar="CIDR", help="embedded: a free block of addresses")
def up(cluster: Cluster, count: int | None, product: str, mode: gpus.Mode) -> None:
    """Bring the cluster up and wait until it can run pods."""
    kubeconfig = cluster.up()
    if count is not None:
        gpus.set_gpus(cluster, count, product, mode)
    print(f"export KUBECONFIG={kubeconfig}")


@commands.command()
@_of_a_cluster
@click.option("--all", "every", is_flag=True, help="remove every embedded cluster on this machine")
@click.pass_context
def down(context: click.Context, cluster: Cluster, every: bool) -> None:
    """Remove the cluster and all that belongs to it."""
    if not every:
        cluster.down()
        return
    if context.params["provider"] != "embedded":
        raise GpuInferenceError("--all is for embedded clusters.", "Name the cluster: --name NAME")
    folders = sorted(state_directory().glob("*/"))
    if not folders:
        Progress().say("There is no embedded cluster.")
    for folder in folders:
        open_cluster("embedded", folder.name, progress=Progress()).down()


@commands.command()
@_of_a_cluster
@output_option
@click.pass_context
def status(context: click.Context, cluster: Cluster, as_json: bool) -> None:
    """Say how the cluster is; exit status 1 unless its node is Ready."""
    found = cluster.status()
    if as_json:
        print_json({**dataclasses.asdict(found), "kubeconfig": found.kubeconfig and str(found.kubeconfig)})
    else:
        print(described(found))
    context.exit(0 if found.node_ready else 1)


def described(status: ClusterStatus) -> str:
    """Return a status as lines for a person."""
    lines = {"cluster": f"{status.name} ({status.provider})", "state": "not running"}
    if status.running:
        product = status.gpu_product or "an unnamed product"
        lines |= {
            "state": "Ready" if status.node_ready else "running, node not Ready",
            "kubernetes": status.kubernetes or "unknown",
            "gpus": f"{status.gpus} of {product}" if status.gpus else "none",
            "cpu requests": "lowered to at most 100m each" if status.cpu_overcommitted else "as they are",
            "kubeconfig": str(status.kubeconfig),
        }
    if status.problem:
        lines["problem"] = status.problem
    return "\n".join(f"{name + ':':<14}{value}" for name, value in lines.items())


@commands.command("kubeconfig")
@_of_a_cluster
def print_kubeconfig(cluster: Cluster) -> None:
    """Print the path of the running cluster's kubeconfig."""
    found = cluster.status()
    if found.kubeconfig is None:
        raise GpuInferenceError(
            f"The cluster {found.name!r} is not running.", "Bring it up: gpu-inference cluster up"
        )
    print(found.kubeconfig)


@commands.command()
@_of_a_cluster
@click.argument("count", type=int, metavar="N")
@_gpu_options
def set_gpus(cluster: Cluster, count: int, product: str, mode: gpus.Mode) -> None:
    """Let the node advertise N GPUs that are not there; 0 removes them."""
    gpus.set_gpus(cluster, count, product, mode)


@commands.command()
@_of_a_cluster
@click.argument("image", metavar="IMAGE")
def load_image(cluster: Cluster, image: str) -> None:
    """Bring an image into the cluster, unless it is there.

    IMAGE is its name, as `image list` shows it, or an archive (.tar) as `docker save` writes it.
    """
    local = _local_image(image)
    loaded = cluster.load_image(local)
    print(f"{local.reference}: {'loaded' if loaded else 'was there already'}")


def _local_image(name: str) -> LocalImage:
    """Return the image in a file, or the one of that name on this machine.

    Raises:
        GpuInferenceError: there is neither.
    """
    path = Path(name)
    if path.suffix == ".tar" or path.is_file():
        return ArchivedImage(path)
    engine = find_engine()
    stored = engine.find(name) or engine.find(full_name(name))
    if stored is None:
        raise GpuInferenceError(
            f"There is no file and no image {name} on this machine.",
            "See which images there are: gpu-inference image list",
        )
    return as_built_image(stored, engine)


@commands.command()
@_of_a_cluster
def install_keda(cluster: Cluster) -> None:
    """Install KEDA, for services with an autoscaler."""
    keda.install(cluster, Progress())


@commands.command()
def setup() -> None:
    """Install and build what the embedded cluster needs (as root)."""
    progress = Progress()
    debian.install_missing(progress)
    preflight.require()
    build_programs(progress)
