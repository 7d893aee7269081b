"""The access log: one line per response, in v1's format, written in batches."""

import asyncio
import os
import sys
import time

from gpu_inference_runtime.http.request_head import RequestHead
from gpu_inference_script.log_setup import writes_plain_lines
from gpu_inference_script.logs import ACCESS, request_id_of_log_lines

# How long a line waits for others.
_PAUSE_SECONDS = 0.02
# Writes of up to this size to a pipe are atomic: lines of several processes do not mix.
_PIECE_BYTES = 4096
_MAX_WAITING = 2000


class AccessLog:
    """Logs method, path (not the query, which may hold data), status, time and length of each response.

    Args:
        loop: the event loop, which writes the lines that wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[str] = []
        self._plain = writes_plain_lines(ACCESS)
        self._name = f" I [{os.getpid()}] {ACCESS.name} - "
        self._second = 0
        self._second_text = ""

    def write(
        self, head: RequestHead, status: int, seconds: float, length: int | None, request_id: str
    ) -> None:
        """Log the response to a request, unless the request is a health check.

        Args:
            head: the request's head.
            status: the response's status code.
            seconds: time from the request's headers to the end of the response.
            length: the body's length in bytes; None if unknown.
            request_id: the request's id; may be empty.
        """
        path = head.path
        if path == "/" and head.method == b"GET":
            return
        size = "N/A" if length is None else length
        message = f"{head.method_name} {path} {status} {seconds * 1000:.3f}ms {size}"
        if not self._plain:
            with request_id_of_log_lines(request_id):
                ACCESS.info("%s", message)
            return
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))
        request = f"[{request_id}] " if request_id else ""
        waiting = self._waiting
        waiting.append(
            f"{self._second_text},{int((now - second) * 1000):03d}{self._name}{request}{message}\n"
        )
        if len(waiting) == 1:
            self._loop.call_later(_PAUSE_SECONDS, self.flush)
        elif len(waiting) >= _MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write the waiting lines."""
        piece: list[str] = []
        size = 0
        for line in self._waiting:
            if size + len(line) > _PIECE_BYTES and piece:
                _write("".join(piece))
                piece, size = [], 0
            piece.append(line)
            size += len(line)
        self._waiting.clear()
        if piece:
            _write("".join(piece))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
