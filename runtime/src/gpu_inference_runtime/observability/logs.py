"""What the log's lines have in common: the request's id, v1's loggers, and `print()` as one of them."""

import builtins
import functools
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_request_id: ContextVar[str] = ContextVar("request_id", default="")

# v1's server logged its access lines and what scripts print under these names: people search for them.
ACCESS = logging.getLogger("azmlinfsrv")
_PRINT = logging.getLogger("azmlinfsrv.print")

_write_to_stream = builtins.print


@contextmanager
def request_id_of_log_lines(request_id: str) -> Iterator[None]:
    """Put this id into all lines that are logged inside, here and in calls handed to the script's thread."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def current_request_id() -> str:
    """Return the id of the request that is being worked on here; empty outside of one."""
    return _request_id.get()


def print_to_log() -> None:
    """Make `print()` to standard output write log lines; printing to any other stream stays as it is.

    A stream that the script puts in the place of standard output (`contextlib.redirect_stdout`) is another.
    """
    standard_output = sys.stdout

    @functools.wraps(_write_to_stream)
    def logged_print(
        *values: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        if (sys.stdout if file is None else file) is standard_output:
            _PRINT.info("%s", (" " if sep is None else sep).join(map(str, values)))
        else:
            _write_to_stream(*values, sep=sep, end=end, file=file, flush=flush)

    builtins.print = logged_print
