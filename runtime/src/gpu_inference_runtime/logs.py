"""The log: v1's line format on standard output, in UTC, with the request's id in the lines of a request."""

import builtins
import functools
import logging
import sys
import time
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


class _Formatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(request)s%(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        request_id = _request_id.get()
        record.request = f"[{request_id}] " if request_id else ""
        return super().format(record)


def configure_logging() -> None:
    """Send everything that is logged, by us, by gunicorn and by scripts, to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def print_to_log() -> None:
    """Make `print()` to standard output write log lines; printing to any other stream stays as it is."""

    @functools.wraps(_write_to_stream)
    def logged_print(
        *values: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        if file is None or file is sys.stdout:
            _PRINT.info("%s", (" " if sep is None else sep).join(map(str, values)))
        else:
            _write_to_stream(*values, sep=sep, end=end, file=file, flush=flush)

    builtins.print = logged_print
