"""What commands print for programs to read: JSON on standard output, with `--output json`."""

import argparse
import json
from typing import Any


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--output`; the handler finds it as `arguments.output`."""
    parser.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="for people or for programs (default: text)",
    )


def print_json(content: Any) -> None:
    """Print what a command found out as JSON."""
    print(json.dumps(content, indent=2, ensure_ascii=False))
