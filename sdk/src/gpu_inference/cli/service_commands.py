"""`gpu-inference deploy`, `state`, `score`, …: services in a cluster, from the command line."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from gpu_inference.cli.options import (
    FILE,
    Command,
    cluster_options,
    output_option,
    print_json,
    service_argument,
)
from gpu_inference.convert import convert
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import FRAMEWORKS, parse_model
from gpu_inference.progress import Progress
from gpu_inference.service import Service, ServiceState, deploy, states
from gpu_inference.service.keys import Key
from gpu_inference.value_files import merged, parse_settings, read_values

_KEYS = ("primary", "secondary")


def _values_options(command: Command) -> Command:
    for option in (
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="PATH=VALUE",
            help="a single value, as in deployment.num_replicas=3; goes over those in files",
        ),
        click.option(
            "--values", "files", type=FILE, multiple=True, metavar="FILE", help="values of the chart, YAML"
        ),
    ):
        command = option(command)
    return command


def _timeout_option(command: Command) -> Command:
    return click.option(
        "--timeout", type=float, metavar="SECONDS", help="longest time to wait (default: no limit)"
    )(command)


def _no_wait_option(command: Command) -> Command:
    return click.option("--no-wait", is_flag=True, help="return before the service serves")(command)


@click.command("deploy")
@click.option("--name", required=True, help="the service's name: 3 to 32 of a-z, 0-9 and -")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[:VERSION]=PATH",
    help="a model, a file or a folder; may be given several times (default version: 1)",
)
@click.option("--source", type=FILE, metavar="FOLDER", help="the folder with the entry script")
@click.option("--entry-script", metavar="SCRIPT", help="the script's path in that folder")
@click.option("--image", metavar="IMAGE", help="an image with all that, instead")
@click.option(
    "--framework",
    type=click.Choice(FRAMEWORKS),
    default="none",
    help="what the image holds beside the server",
)
@click.option("--base-image", metavar="IMAGE", help="what to build on; see `image build`")
@click.option(
    "--push", metavar="REGISTRY/REPOSITORY", help="where the cluster pulls the image from, if not from here"
)
@click.option(
    "--deployment-config", type=FILE, metavar="FILE", help="v1's deploymentconfig.json, instead of values"
)
@click.option("--inference-config", type=FILE, metavar="FILE", help="v1's inferenceconfig.json, beside it")
@click.option("--overwrite", is_flag=True, help="replace a service of this name")
@_values_options
@cluster_options
@_no_wait_option
@_timeout_option
def deploy_service(
    name: str,
    models: tuple[str, ...],
    source: Path | None,
    deployment_config: Path | None,
    inference_config: Path | None,
    files: tuple[Path, ...],
    settings: tuple[str, ...],
    no_wait: bool,
    timeout: float | None,
    **options: Any,
) -> None:
    """Deploy a model and its entry script as a service."""
    service = deploy(
        name,
        source_directory=source,
        models=[parse_model(argument) for argument in models],
        values=_values(_converted(deployment_config, inference_config), files, settings),
        progress=Progress(),
        **options,
    )
    if not no_wait:
        service.wait_for_deployment(show_output=True, timeout_sec=timeout)


def _converted(deployment_config: Path | None, inference_config: Path | None) -> dict[str, Any]:
    if deployment_config is None:
        if inference_config is not None:
            raise GpuInferenceError(
                "--inference-config is given without --deployment-config, which says what to deploy."
            )
        return {}
    conversion = convert(deployment_config, inference_config)
    for warning in conversion.warnings:
        print(f"gpu-inference: {warning}", file=sys.stderr)
    return conversion.values


def _values(values: dict[str, Any], files: tuple[Path, ...], settings: tuple[str, ...]) -> dict[str, Any]:
    for path in files:
        values = merged(values, read_values(path))
    return merged(values, parse_settings(settings))


@click.command()
@service_argument
@output_option
def state(service: Service, as_json: bool) -> None:
    """Say how a service is, and why."""
    status = service.status()
    if as_json:
        print_json(_described(service.name, status))
        return
    print(status.state)
    if status.error:
        print(status.error, file=sys.stderr)


def _described(name: str, status: ServiceState) -> dict[str, str | None]:
    return {"name": name, "state": status.state, "error": status.error}


@click.command()
@service_argument
@_timeout_option
def wait(service: Service, timeout: float | None) -> None:
    """Wait until a service serves."""
    service.wait_for_deployment(show_output=True, timeout_sec=timeout)


@click.group()
def keys() -> None:
    """The keys of a service."""


@keys.command()
@service_argument
def show(service: Service) -> None:
    """Print both keys of a service, as JSON."""
    primary, secondary = service.get_keys()
    print_json({"primaryKey": primary, "secondaryKey": secondary})


@keys.command()
@service_argument
@click.argument("key", type=click.Choice(_KEYS, case_sensitive=False))
# Not the key itself: an argument can be read by everyone on this machine.
@click.option(
    "--key-file", metavar="FILE|-", help="a file with the new key, or - for standard input (default: made)"
)
def regenerate(service: Service, key: Key, key_file: str | None) -> None:
    """Change one key of a service while the other works."""
    given = None if key_file is None else _read_key(key_file)
    progress = Progress()
    with progress.step(f"Changing the {key} key of {service.name}"):
        service.regen_key(key, given, progress=progress)


def _read_key(file: str) -> str:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text()).strip()
    except OSError as error:
        raise GpuInferenceError(f"The file {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise GpuInferenceError(f"{file} does not hold a key, but bytes that are not text.") from error


@click.command()
@service_argument
def uri(service: Service) -> None:
    """Print the address that a service is called at."""
    print(service.scoring_uri)


@click.command()
@service_argument
@click.option("--data", required=True, metavar="JSON|@FILE", help="the body, or @ and a file with it")
# Which key, not the key itself: a key has no place in an argument list.
@click.option(
    "--key", type=click.Choice(_KEYS), default="primary", help="which of the service's keys to send"
)
def score(service: Service, data: str, key: Key) -> None:
    """Send a request to a service and print the answer."""
    body: str | bytes = data
    if data.startswith("@"):
        path = Path(data[1:])
        try:
            body = path.read_bytes()
        except OSError as error:
            raise GpuInferenceError(f"The file {path} cannot be read: {error.strerror}.") from error
    print(json.dumps(service.run(body, key=key), ensure_ascii=False))


@click.command()
@service_argument
@click.option("--lines", type=int, default=5000, metavar="N", help="of each pod at most (default: 5000)")
@click.option("--init", is_flag=True, help="of the init containers")
def logs(service: Service, lines: int, init: bool) -> None:
    """Print what a service's pods wrote last."""
    print(service.get_logs(lines, init), end="")


@click.command()
@service_argument
@_values_options
@_no_wait_option
@_timeout_option
def update(
    service: Service,
    files: tuple[Path, ...],
    settings: tuple[str, ...],
    no_wait: bool,
    timeout: float | None,
) -> None:
    """Change some values of a service; the others stay."""
    service.update(_values({}, files, settings))
    if not no_wait:
        service.wait_for_deployment(show_output=True, timeout_sec=timeout)


@click.command()
@service_argument
def delete(service: Service) -> None:
    """Remove a service and all that belongs to it."""
    with Progress().step(f"Removing {service.name}"):
        removed = service.delete()
    if not removed:
        print(f"No service with name {service.name} found to delete.")


@click.command("list")
@cluster_options
@output_option
def list_services(
    namespace: str,
    kubeconfig: Path | None,
    context: str | None,
    helm: Path | None,  # noqa: ARG001 (one of cluster_options)
    as_json: bool,
) -> None:
    """List the services of a namespace."""
    found = states(namespace, kubeconfig=kubeconfig, context=context)
    if as_json:
        print_json([_described(name, status) for name, status in found.items()])
        return
    for name, status in found.items():
        print(f"{name} {status.state}")


COMMANDS = (deploy_service, state, wait, keys, uri, score, logs, update, delete, list_services)
