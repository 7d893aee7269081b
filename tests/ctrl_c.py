"""Programs that a test ends by Ctrl-C."""

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
    """Start a program that SIGINT ends, also where SIGINT is ignored (nohup, `&`, some CI runners).

    Python sets up KeyboardInterrupt only where it does not find SIGINT ignored.

    Args:
        command: program and arguments.
        options: of `subprocess.Popen`.
    """
    return subprocess.Popen(command, preexec_fn=_restore, **options)


def _restore() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
