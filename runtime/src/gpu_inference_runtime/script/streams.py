"""The body of an answer that is sent while the script still makes it."""

import logging
import threading
from collections.abc import Iterator
from contextvars import Context, copy_context
from typing import Protocol

_BROKE_OFF = "A streamed answer of run() broke off"

log = logging.getLogger("gpu_inference")


class StreamBrokenError(Exception):
    """The script did not make the rest of a body: the connection must end without a proper end."""


class PartTimeoutError(Exception):
    """A part took longer than the scoring timeout."""


class Parts(Protocol):
    """Who has parts made, on the script's thread."""

    def next_part(self, body: Iterator[bytes], context: Context) -> bytes | None:
        """Return the next part, None after the last one. All parts are made in the same context.

        Raises:
            PartTimeoutError: it takes too long; the body will be closed.
            Exception: whatever the body raises.
        """

    def end_stream(self, body: Iterator[bytes], context: Context) -> None:
        """Close the body."""


class AnswerStream:
    """The parts of a body, in order. Made on the script's thread, used on one of the front end's.

    Whatever becomes of the client, it must be closed: until then it keeps its slot.
    """

    def __init__(self, first: bytes | None, body: Iterator[bytes], parts: Parts, context: Context) -> None:
        # Of one element, until that was asked for.
        self._first = [first]
        self._body = body
        self._parts = parts
        # What the body sets in it for its first part (`stream_with_context`), it resets with its last.
        self._scripts_context = context
        self._lock = threading.Lock()
        self._closed = False
        # The request id of the log lines is here, and no longer there when the front end asks for a part.
        self._context = copy_context()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._closed:
            raise StopIteration
        try:
            part = self._first.pop() if self._first else self._context.run(self._next)
        except PartTimeoutError:
            self._context.run(log.error, _BROKE_OFF)
            self._closed = True
            raise StreamBrokenError from None
        except BaseException as error:
            self._context.run(log.error, _BROKE_OFF, exc_info=error)
            self.close()
            raise StreamBrokenError from None
        if part is None:
            self.close()
            raise StopIteration
        return part

    def close(self) -> None:
        """Let the script clean up, and give the slot back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._context.run(self._parts.end_stream, self._body, self._scripts_context)

    def _next(self) -> bytes | None:
        return self._parts.next_part(self._body, self._scripts_context)

    def __del__(self) -> None:
        self.close()
