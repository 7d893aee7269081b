"""Runs the Makefile for tests."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Makefile").read_text()


def make(
    *words: str, env: Mapping[str, str] | None = None, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run make; a make that runs the tests has no say in its output."""
    own = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    return subprocess.run(
        ["make", "--file", str(ROOT / "Makefile"), *words],
        cwd=folder,
        env=own | dict(env or {}),
        capture_output=True,
        text=True,
    )
