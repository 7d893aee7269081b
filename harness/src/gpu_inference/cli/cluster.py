"""`gpu-inference cluster …`: bring a cluster up, look at it, give it GPUs and images, remove it."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from gpu_inference.cli.output import add_output, print_json
from gpu_inference.cluster import DEFAULT_NAME, Cluster, ClusterStatus, LocalImage, open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import state_directory
from gpu_inference.progress import Progress

_DEFAULT_PRODUCT = "NVIDIA-A100-SXM4-40GB"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group `cluster`."""
    group = commands.add_parser(
        "cluster", help="bring up a Kubernetes cluster on this machine, or use another"
    )
    actions = group.add_subparsers(metavar="ACTION", required=True)

    up = _action(actions, "up", _up, "bring the cluster up and wait until it can run pods")
    up.add_argument("--gpus", type=int, metavar="N", help="let its node advertise N GPUs that are not there")
    _add_gpu_options(up)
    up.add_argument(
        "--cpu-overcommit",
        action=argparse.BooleanOptionalAction,
        help="embedded: lower the CPU requests of new pods to at most 100m, so that a small machine can run "
        "what was made for a big one; GPUs, memory and limits are not touched (on for a new cluster)",
    )
    up.add_argument("--address-range", metavar="CIDR", help="embedded: a free block of addresses")

    down = _action(actions, "down", _down, "remove the cluster and all that belongs to it")
    down.add_argument("--all", action="store_true", help="remove every embedded cluster on this machine")

    status = _action(
        actions, "status", _status, "say how the cluster is; exit status 1 unless its node is Ready"
    )
    add_output(status)
    _action(actions, "kubeconfig", _kubeconfig, "print the path of the running cluster's kubeconfig")

    set_gpus = _action(actions, "set-gpus", _set_gpus, "let the node advertise GPUs that are not there")
    set_gpus.add_argument("count", type=int, metavar="N", help="how many; 0 removes them")
    _add_gpu_options(set_gpus)

    load = _action(actions, "load-image", _load_image, "bring an image into the cluster, unless it is there")
    load.add_argument(
        "image",
        metavar="IMAGE",
        help="its name, as `image list` shows it, or an archive (.tar) as `docker save` writes it",
    )

    _action(actions, "install-keda", _install_keda, "install KEDA, for services with an autoscaler")

    setup = actions.add_parser("setup", help="install and build what the embedded cluster needs (as root)")
    setup.set_defaults(handler=_setup)


def _action(actions: Any, name: str, handler: Any, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=description, description=description)
    parser.set_defaults(handler=handler, cpu_overcommit=None, address_range=None)
    parser.add_argument(
        "--provider",
        choices=("embedded", "kind", "kubeconfig"),
        default="embedded",
        help="embedded: made here, as root (the default); kind: by kind, in Docker; kubeconfig: one you have",
    )
    parser.add_argument("--name", default=DEFAULT_NAME, help="which cluster (default: %(default)s)")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="for --provider kubeconfig")
    parser.add_argument("--context", help="for --provider kubeconfig: the context in it")
    parser.add_argument(
        "--simulate-gpus",
        action="store_true",
        help="for --provider kubeconfig: a test cluster: its node may advertise GPUs it lacks",
    )
    return parser


def _add_gpu_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--product", default=_DEFAULT_PRODUCT, help="what the GPUs are (default: %(default)s)"
    )
    parser.add_argument(
        "--gpu-mode",
        choices=("patch", "plugin"),
        default="patch",
        help="patch: write the node's status; plugin (embedded only): run a device plugin, which also gives "
        "containers NVIDIA_VISIBLE_DEVICES (default: %(default)s)",
    )


def _open(arguments: argparse.Namespace, name: str | None = None) -> Cluster:
    return open_cluster(
        arguments.provider,
        name or arguments.name,
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        simulate_gpus=arguments.simulate_gpus,
        cpu_overcommit=arguments.cpu_overcommit,
        address_range=arguments.address_range,
        progress=Progress(),
    )


def _up(arguments: argparse.Namespace) -> None:
    cluster = _open(arguments)
    kubeconfig = cluster.up()
    if arguments.gpus is not None:
        cluster.set_gpus(arguments.gpus, arguments.product, arguments.gpu_mode)
    print(f"export KUBECONFIG={kubeconfig}")


def _down(arguments: argparse.Namespace) -> None:
    if not arguments.all:
        _open(arguments).down()
        return
    if arguments.provider != "embedded":
        raise GpuInferenceError("--all is for embedded clusters.", "Name the cluster: --name NAME")
    folders = sorted(state_directory().glob("*/"))
    if not folders:
        Progress().say("There is no embedded cluster.")
    for folder in folders:
        _open(arguments, folder.name).down()


def _status(arguments: argparse.Namespace) -> int:
    status = _open(arguments).status()
    if arguments.output == "json":
        kubeconfig = str(status.kubeconfig) if status.kubeconfig else None
        print_json({**dataclasses.asdict(status), "kubeconfig": kubeconfig})
    else:
        print(described(status))
    return 0 if status.node_ready else 1


def described(status: ClusterStatus) -> str:
    """Return a status as lines for a person."""
    lines = {"cluster": f"{status.name} ({status.provider})", "state": "not running"}
    if status.running:
        gpus = f"{status.gpus} of {status.gpu_product or 'an unnamed product'}" if status.gpus else "none"
        lines |= {
            "state": "Ready" if status.node_ready else "running, node not Ready",
            "kubernetes": status.kubernetes or "unknown",
            "gpus": gpus,
            "cpu requests": "lowered to at most 100m each" if status.cpu_overcommitted else "as they are",
            "kubeconfig": str(status.kubeconfig),
        }
    if status.problem:
        lines["problem"] = status.problem
    return "\n".join(f"{name + ':':<14}{value}" for name, value in lines.items())


def _kubeconfig(arguments: argparse.Namespace) -> None:
    status = _open(arguments).status()
    if status.kubeconfig is None:
        raise GpuInferenceError(
            f"The cluster {status.name!r} is not running.", "Bring it up: gpu-inference cluster up"
        )
    print(status.kubeconfig)


def _set_gpus(arguments: argparse.Namespace) -> None:
    _open(arguments).set_gpus(arguments.count, arguments.product, arguments.gpu_mode)


def _load_image(arguments: argparse.Namespace) -> None:
    image = _local_image(arguments.image)
    loaded = _open(arguments).load_image(image)
    print(f"{image.reference}: {'loaded' if loaded else 'was there already'}")


def _local_image(name: str) -> LocalImage:
    """Return the image in a file, or the one of that name on this machine.

    Raises:
        GpuInferenceError: there is neither.
    """
    from gpu_inference.cluster.archive import ArchivedImage, full_name
    from gpu_inference.image import find_engine
    from gpu_inference.image.engine import built

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
    return built(stored, engine)


def _install_keda(arguments: argparse.Namespace) -> None:
    from gpu_inference.cluster import keda

    keda.install(_open(arguments), Progress())


def _setup(arguments: argparse.Namespace) -> None:  # noqa: ARG001  (every handler takes them)
    from gpu_inference.toolchain import debian, preflight
    from gpu_inference.toolchain.programs import build_programs

    progress = Progress()
    debian.install_missing(progress)
    preflight.require()
    build_programs(progress)
