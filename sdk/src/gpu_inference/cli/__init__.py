"""The command `gpu-inference`, built on click; each module here has one group of subcommands.

Other distributions add groups by entry points; such a group is imported only when it is called. Shell
completion for bash (zsh and fish work alike): `eval "$(_GPU_INFERENCE_COMPLETE=bash_source gpu-inference)"`.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

import click

from gpu_inference import __version__
from gpu_inference.cli import chart_commands, convert_command, image_commands, service_commands
from gpu_inference.cluster.providers import INSTALL_HARNESS
from gpu_inference.errors import GpuInferenceError

GROUP = "gpu_inference.commands"
"""Group of the entry points; each one has the name of a command group and refers to a `click.Group`."""

_HARNESS_COMMANDS = {"cluster": "Bring up a Kubernetes cluster on this machine, or use another."}


class Commands(click.Group):
    """A command group that includes the groups of other distributions."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        added = [entry.name for entry in entry_points(group=GROUP)]
        return sorted({*super().list_commands(ctx), *added, *_HARNESS_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; for a missing command of the harness, one that says how to install it."""
        for entry in entry_points(group=GROUP, name=cmd_name):
            group: click.Group = entry.load()
            return group
        if cmd_name in _HARNESS_COMMANDS:
            return _not_installed(cmd_name)
        return super().get_command(ctx, cmd_name)


def _not_installed(name: str) -> click.Command:
    def fail() -> None:
        raise GpuInferenceError(
            f"The commands `gpu-inference {name}` are not installed here.",
            f"Install them: {INSTALL_HARNESS}",
        )

    accept_any_arguments = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(
        name,
        callback=fail,
        help=_HARNESS_COMMANDS[name],
        add_help_option=False,
        context_settings=accept_any_arguments,
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="gpu-inference %(version)s")
def commands() -> None:
    """Deploy, score and test Azure ML v1 entry scripts on GPUs in Kubernetes."""


for command in (
    chart_commands.chart,
    convert_command.convert_files,
    image_commands.image,
    *service_commands.COMMANDS,
):
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 for success, 1 for an error, 130 for Ctrl-C.

    Raises:
        SystemExit: the command line is invalid (status 2); the usage is printed.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = commands.main(words, prog_name="gpu-inference", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from error
    except GpuInferenceError as error:
        print(f"gpu-inference: {error}", file=sys.stderr)
        return 1
    except click.Abort:
        print("gpu-inference: interrupted", file=sys.stderr)
        return 130
    return int(status or 0)
