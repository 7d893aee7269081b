"""The flags of the command line: those of v1's `azmlinfsrv`, with the help that lists them."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from gpu_inference_runtime.settings.sources import SOURCES


class FlagError(Exception):
    """The command line cannot be understood; the text is one sentence."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise FlagError(f"{message[:1].upper()}{message[1:]}; --help lists what there is.")


def parse_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Return the text of each flag that was given, by the flag's name.

    Raises:
        FlagError: there is no such flag, or a flag has no value.
    """
    given = vars(_parser().parse_args(arguments))
    return {name: text for name, text in given.items() if isinstance(text, str)}


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gpu-inference-server",
        description="Serve an Azure ML v1 entry script (init() and run()) over HTTP.",
        epilog="Each flag has an environment variable, and most settings have that alone: docs/settings.md.",
    )
    for source in SOURCES:
        if source.flag:
            parser.add_argument(f"--{source.flag}", help=source.help)
    parser.add_argument(
        "--config_file", help="JSON with settings by the names of their environment variables (config.json)"
    )
    # v1's server took it without telling anybody; there is no other transport here.
    parser.add_argument("--rest", action="store_true", help=argparse.SUPPRESS)
    return parser
