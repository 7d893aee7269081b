"""Options that several commands share, and what they give the command's function."""

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
    """Add the options that say where a service is: namespace, kubeconfig, context and helm."""
    for option in (
        click.option("--helm", type=FILE, metavar="PROGRAM", help="the Helm to use (default: on PATH)"),
        click.option("--context", help="the kubeconfig's context (default: its current one)"),
        click.option(
            "--kubeconfig",
            type=FILE,
            metavar="FILE",
            help="the cluster (default: $KUBECONFIG, the embedded cluster if it runs, ~/.kube/config)",
        ),
        click.option("--namespace", default="default", help="where the service is (default: default)"),
    ):
        command = option(command)
    return command


def of_a_service(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add NAME and the cluster options; the function gets the `Service` instead of them."""

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
    """Add `--output`; the function gets `as_json`, whether a program wants to read what it prints."""
    return click.option(
        "--output",
        "as_json",
        type=click.Choice(["text", "json"]),
        default="text",
        callback=lambda _context, _option, value: value == "json",
        help="for people or for programs (default: text)",
    )(command)


def print_json(content: Any) -> None:
    """Print what a command found out as JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))
