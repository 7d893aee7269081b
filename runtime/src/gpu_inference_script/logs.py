"""The request's id in log lines, v1's loggers, and `print()` as a logger."""

import builtins
import functools
import logging
import sys
from typing import Any, Optional

try:
    from contextvars import ContextVar  # novermin
except ImportError:
    # Python 3.6: the calls of a thread do not overlap, so a thread-local variable is enough.
    import threading

    class _OfThread(threading.local):
        value = ""

        def get(self) -> str:
            return self.value

        def set(self, value: str) -> str:
            before, self.value = self.value, value
            return before

        def reset(self, before: str) -> None:
            self.value = before

    _request_id: "Any" = _OfThread()
else:
    _request_id = ContextVar("request_id", default="")

# v1's server used these names for access lines and for what scripts print; people search for them.
ACCESS = logging.getLogger("azmlinfsrv")
_PRINT = logging.getLogger("azmlinfsrv.print")

_write_to_stream = builtins.print


class request_id_of_log_lines:  # noqa: N801  (used like a function)
    """Add a request's id to all lines that are logged within the block."""

    __slots__ = ("_request_id", "_token")

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id

    def __enter__(self) -> None:
        self._token = _request_id.set(self._request_id)

    def __exit__(self, *_: object) -> None:
        _request_id.reset(self._token)


def current_request_id() -> str:
    """Return the id of the request that is being handled here; empty outside of requests."""
    request_id: "str" = _request_id.get()
    return request_id


def print_to_log() -> None:
    """Make `print()` to standard output write log lines. Printing to any other stream does not change.

    A stream that replaces standard output (`contextlib.redirect_stdout`) counts as another stream.
    """
    standard_output = sys.stdout

    @functools.wraps(_write_to_stream)
    def logged_print(
        *values: object,
        sep: "Optional[str]" = " ",
        end: "Optional[str]" = "\n",
        file: Any = None,
        flush: bool = False,
    ) -> None:
        if (sys.stdout if file is None else file) is standard_output:
            _PRINT.info("%s", (" " if sep is None else sep).join(map(str, values)))
        else:
            _write_to_stream(*values, sep=sep, end=end, file=file, flush=flush)

    builtins.print = logged_print
