"""The command `gpu-inference`: each group of subcommands is a module here that adds its own parsers.

Other distributions add groups by entry points; one of them is imported when its group is called, not before.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from gpu_inference import __version__
from gpu_inference.cli import chart_commands, convert_command, image_commands, service_commands
from gpu_inference.cluster.providers import INSTALL_THE_HARNESS
from gpu_inference.errors import GpuInferenceError

GROUP = "gpu_inference.commands"
"""The entry points' group; each has the name of its group of subcommands and leads to an `add_commands`."""

_GROUPS_OF_THE_HARNESS = {"cluster": "bring up a Kubernetes cluster on this machine, or use another"}


def build_parser(called: str | None = None) -> argparse.ArgumentParser:
    """Return the whole command's parser. Each subcommand sets `handler`, which takes the parsed arguments.

    Args:
        called: the first word of the command line. A group that another distribution adds has its subcommands
            only if it is this one.

    Raises:
        GpuInferenceError: the group is one of gpu-inference-testing, which is not installed.
    """
    parser = argparse.ArgumentParser(
        prog="gpu-inference",
        description="Deploy, score and test Azure ML v1 entry scripts on GPUs in Kubernetes.",
    )
    parser.add_argument("--version", action="version", version=f"gpu-inference {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    added = {entry.name: entry for entry in entry_points(group=GROUP)}
    if called in _GROUPS_OF_THE_HARNESS and called not in added:
        raise GpuInferenceError(
            f"The commands `gpu-inference {called}` are not installed here.",
            f"Install them: {INSTALL_THE_HARNESS}",
        )
    for name in sorted({*_GROUPS_OF_THE_HARNESS, *added}):
        if name == called:
            added[name].load()(commands)
        else:
            commands.add_parser(name, help=_GROUPS_OF_THE_HARNESS.get(name), add_help=False)
    for module in (image_commands, convert_command, chart_commands, service_commands):
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 an error that a sentence explains, 130 Ctrl-C."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = build_parser(words[0] if words else None).parse_args(words)
        status = parsed.handler(parsed)
    except GpuInferenceError as error:
        print(f"gpu-inference: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gpu-inference: interrupted", file=sys.stderr)
        return 130
    return int(status or 0)
