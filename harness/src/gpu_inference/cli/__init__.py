"""The command `gpu-inference`: each group of subcommands is a module here that adds its own parsers."""

import argparse
import sys
from collections.abc import Sequence

from gpu_inference import __version__
from gpu_inference.cli import chart, cluster, convert, image, service
from gpu_inference.errors import GpuInferenceError


def build_parser() -> argparse.ArgumentParser:
    """Return the whole command's parser. Each subcommand sets `handler`, which takes the parsed arguments."""
    parser = argparse.ArgumentParser(
        prog="gpu-inference",
        description="Deploy, score and test Azure ML v1 entry scripts on GPUs in Kubernetes.",
    )
    parser.add_argument("--version", action="version", version=f"gpu-inference {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (cluster, image, convert, chart, service):
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 an error that a sentence explains, 130 Ctrl-C."""
    parsed = build_parser().parse_args(arguments)
    try:
        status = parsed.handler(parsed)
    except GpuInferenceError as error:
        print(f"gpu-inference: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gpu-inference: interrupted", file=sys.stderr)
        return 130
    return int(status or 0)
