"""Options and output that several commands share."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gpu_inference.service import Service

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


def cluster_options(command: Command) -> Command:
    """Add the options --namespace, --kubeconfig, --context and --helm."""
    for option in (
        click.option("--helm", type=FILE, metavar="PROGRAM", help="Helm to use (default: the one on PATH)"),
        click.option("--context", help="context of the kubeconfig (default: its current one)"),
        click.option(
            "--kubeconfig",
            type=FILE,
            metavar="FILE",
            help="kubeconfig (default: $KUBECONFIG, the embedded cluster if it runs, ~/.kube/config)",
        ),
        click.option("--namespace", default="default", help="namespace of the service (default: default)"),
    ):
        command = option(command)
    return command


def service_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add NAME and the cluster options; pass the function a `Service` instead of them."""

    @click.argument("name", metavar="NAME")
    @cluster_options
    @functools.wraps(command)
    def with_service(
        name: str,
        namespace: str,
        kubeconfig: Path | None,
        context: str | None,
        helm: Path | None,
        **rest: Any,
    ) -> Any:
        service = Service(name, namespace=namespace, kubeconfig=kubeconfig, context=context, helm=helm)
        return command(service, **rest)

    return with_service


def output_option(command: Command) -> Command:
    """Add the option --output; pass the function `as_json`, which is true for `--output json`."""
    return click.option(
        "--output",
        "as_json",
        type=click.Choice(["text", "json"]),
        default="text",
        callback=lambda _context, _option, value: value == "json",
        help="output format (default: text)",
    )(command)


def print_json(content: Any) -> None:
    """Print a result as indented JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))
