"""`gpu-inference deploy`, `state`, `score`, …: services in a cluster, from the command line."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from gpu_inference.cli.output import add_output, print_json
from gpu_inference.convert import convert
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import FRAMEWORKS, parse_model
from gpu_inference.progress import Progress
from gpu_inference.service import Service, ServiceState, deploy, states
from gpu_inference.service.values import merged, parse_settings, read_values


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module."""
    _add_deploy(commands)

    state = _add(commands, "state", "say how a service is, and why")
    add_output(state)
    state.set_defaults(handler=_state)

    wait = _add(commands, "wait", "wait until a service serves")
    _add_timeout(wait)
    wait.set_defaults(handler=_wait)

    keys = commands.add_parser("keys", help="the keys of a service")
    actions = keys.add_subparsers(metavar="ACTION", required=True)
    show = _add(actions, "show", "print both keys of a service, as JSON")
    show.set_defaults(handler=_show_keys)
    regenerate = _add(actions, "regenerate", "change one key of a service while the other works")
    regenerate.add_argument(
        "key", type=str.lower, choices=("primary", "secondary"), help="which of the two, in any case"
    )
    # Not the key itself: an argument can be read by everyone on this machine.
    regenerate.add_argument(
        "--key-file",
        metavar="FILE|-",
        help="a file with the new key, or - for standard input (default: made)",
    )
    regenerate.set_defaults(handler=_regenerate_key)

    uri = _add(commands, "uri", "print the address that a service is called at")
    uri.set_defaults(handler=_uri)

    score = _add(commands, "score", "send a request to a service and print the answer")
    score.add_argument(
        "--data", required=True, metavar="JSON|@FILE", help="the body, or @ and a file with it"
    )
    # Which key, not the key itself: a key has no place in an argument list.
    score.add_argument(
        "--key",
        choices=("primary", "secondary"),
        default="primary",
        help="which of the service's keys to send",
    )
    score.set_defaults(handler=_score)

    logs = _add(commands, "logs", "print what a service's pods wrote last")
    logs.add_argument(
        "--lines", type=int, default=5000, metavar="N", help="of each pod at most (default: 5000)"
    )
    logs.add_argument("--init", action="store_true", help="of the init containers")
    logs.set_defaults(handler=_logs)

    update = _add(commands, "update", "change some values of a service; the others stay")
    _add_values(update)
    _add_wait(update)
    update.set_defaults(handler=_update)

    delete = _add(commands, "delete", "remove a service and all that belongs to it")
    delete.set_defaults(handler=_delete)

    listing = commands.add_parser("list", help="list the services of a namespace")
    _add_cluster(listing)
    add_output(listing)
    listing.set_defaults(handler=_list)


def _add_deploy(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("deploy", help="deploy a model and its entry script as a service")
    parser.add_argument("--name", required=True, help="the service's name: 3 to 32 of a-z, 0-9 and -")
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME[:VERSION]=PATH",
        help="a model, a file or a folder; may be given several times (default version: 1)",
    )
    parser.add_argument("--source", type=Path, metavar="FOLDER", help="the folder with the entry script")
    parser.add_argument("--entry-script", metavar="SCRIPT", help="the script's path in that folder")
    parser.add_argument("--image", metavar="IMAGE", help="an image with all that, instead")
    parser.add_argument(
        "--framework", choices=FRAMEWORKS, default="none", help="what the image holds beside the server"
    )
    parser.add_argument("--base-image", metavar="IMAGE", help="what to build on; see `image build`")
    parser.add_argument(
        "--push",
        metavar="REGISTRY/REPOSITORY",
        help="where the cluster pulls the image from, if not from here",
    )
    parser.add_argument(
        "--deployment-config", type=Path, metavar="FILE", help="v1's deploymentconfig.json, instead of values"
    )
    parser.add_argument(
        "--inference-config", type=Path, metavar="FILE", help="v1's inferenceconfig.json, beside it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a service of this name")
    _add_values(parser)
    _add_cluster(parser)
    _add_wait(parser)
    parser.set_defaults(handler=_deploy)


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: str, help_text: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(command, help=help_text)
    parser.add_argument("name", metavar="NAME", help="the service")
    _add_cluster(parser)
    return parser


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", default="default", help="where the service is (default: default)")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="the cluster (default: $KUBECONFIG, the embedded cluster if it runs, ~/.kube/config)",
    )
    parser.add_argument("--context", help="the kubeconfig's context (default: its current one)")
    parser.add_argument("--helm", type=Path, metavar="PROGRAM", help="the Helm to use (default: on PATH)")


def _add_values(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--values", type=Path, action="append", default=[], metavar="FILE", help="values of the chart, YAML"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="a single value, as in deployment.num_replicas=3; goes over those in files",
    )


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="longest time to wait (default: no limit)"
    )


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="return before the service serves")
    _add_timeout(parser)


def _open(arguments: argparse.Namespace) -> Service:
    return Service(
        arguments.name,
        namespace=arguments.namespace,
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        helm=arguments.helm,
    )


def _values(arguments: argparse.Namespace, values: dict[str, Any]) -> dict[str, Any]:
    for path in arguments.values:
        values = merged(values, read_values(path))
    return merged(values, parse_settings(arguments.set))


def _deploy(arguments: argparse.Namespace) -> None:
    service = deploy(
        arguments.name,
        source_directory=arguments.source,
        entry_script=arguments.entry_script,
        models=[parse_model(argument) for argument in arguments.model],
        values=_values(arguments, _converted(arguments)),
        namespace=arguments.namespace,
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        framework=arguments.framework,
        base_image=arguments.base_image,
        image=arguments.image,
        push=arguments.push,
        overwrite=arguments.overwrite,
        helm=arguments.helm,
        progress=Progress(),
    )
    if not arguments.no_wait:
        service.wait_for_deployment(show_output=True, timeout_sec=arguments.timeout)


def _converted(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.deployment_config is None:
        if arguments.inference_config is not None:
            raise GpuInferenceError(
                "--inference-config is given without --deployment-config, which says what to deploy."
            )
        return {}
    conversion = convert(arguments.deployment_config, arguments.inference_config)
    for warning in conversion.warnings:
        print(f"gpu-inference: {warning}", file=sys.stderr)
    return conversion.values


def _state(arguments: argparse.Namespace) -> None:
    status = _open(arguments).status()
    if arguments.output == "json":
        print_json(_described(arguments.name, status))
        return
    print(status.state)
    if status.error:
        print(status.error, file=sys.stderr)


def _described(name: str, status: ServiceState) -> dict[str, str | None]:
    return {"name": name, "state": status.state, "error": status.error}


def _wait(arguments: argparse.Namespace) -> None:
    _open(arguments).wait_for_deployment(show_output=True, timeout_sec=arguments.timeout)


def _show_keys(arguments: argparse.Namespace) -> None:
    primary, secondary = _open(arguments).get_keys()
    print_json({"primaryKey": primary, "secondaryKey": secondary})


def _regenerate_key(arguments: argparse.Namespace) -> None:
    given = None if arguments.key_file is None else _read_key(arguments.key_file)
    progress = Progress()
    with progress.step(f"Changing the {arguments.key} key of {arguments.name}"):
        _open(arguments).regen_key(arguments.key, given, progress=progress)


def _read_key(file: str) -> str:
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text()).strip()
    except OSError as error:
        raise GpuInferenceError(f"The file {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise GpuInferenceError(f"{file} does not hold a key, but bytes that are not text.") from error


def _uri(arguments: argparse.Namespace) -> None:
    print(_open(arguments).scoring_uri)


def _score(arguments: argparse.Namespace) -> None:
    body: str | bytes = arguments.data
    if arguments.data.startswith("@"):
        path = Path(arguments.data[1:])
        try:
            body = path.read_bytes()
        except OSError as error:
            raise GpuInferenceError(f"The file {path} cannot be read: {error.strerror}.") from error
    answer = _open(arguments).run(body, key=arguments.key)
    print(json.dumps(answer, ensure_ascii=False))


def _logs(arguments: argparse.Namespace) -> None:
    print(_open(arguments).get_logs(arguments.lines, arguments.init), end="")


def _update(arguments: argparse.Namespace) -> None:
    service = _open(arguments)
    service.update(_values(arguments, {}))
    if not arguments.no_wait:
        service.wait_for_deployment(show_output=True, timeout_sec=arguments.timeout)


def _delete(arguments: argparse.Namespace) -> None:
    with Progress().step(f"Removing {arguments.name}"):
        removed = _open(arguments).delete()
    if not removed:
        print(f"No service with name {arguments.name} found to delete.")


def _list(arguments: argparse.Namespace) -> None:
    found = states(arguments.namespace, kubeconfig=arguments.kubeconfig, context=arguments.context)
    if arguments.output == "json":
        print_json([_described(name, status) for name, status in found.items()])
        return
    for name, status in found.items():
        print(f"{name} {status.state}")
