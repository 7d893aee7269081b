"""The access log: one line for each answer, as v1's server wrote it, written in batches."""

import asyncio
import os
import sys
import time

from gpu_inference_script.log_setup import writes_plain_lines
from gpu_inference_script.logs import ACCESS, request_id_of_log_lines

# Lines wait this long for others, seconds.
_PAUSE_SECONDS = 0.02
# What the system writes to a pipe in one piece: lines of several processes do not mix below that.
_PIECE_BYTES = 4096
_MOST_WAITING = 2000


class AccessLog:
    """Writes method, path (not the query, which may hold data), status, time and length of each answer.

    Args:
        loop: where lines wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[str] = []
        self._plain = writes_plain_lines(ACCESS)
        self._process = os.getpid()
        self._second = 0
        self._second_text = ""

    def write(
        self, method: bytes, target: bytes, status: int, seconds: float, length: int | None, request_id: str
    ) -> None:
        """Log an answer. Health checks are left out."""
        # As it was sent: decoded, it may hold the end of the line and another one that looks like ours.
        path = target.partition(b"?")[0].decode("latin-1")
        if path == "/" and method == b"GET":
            return
        size = "N/A" if length is None else length
        message = f"{method.decode('latin-1')} {path} {status} {seconds * 1000:.3f}ms {size}"
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
        milliseconds = int((now - second) * 1000)
        if not self._waiting:
            self._loop.call_later(_PAUSE_SECONDS, self.flush)
        self._waiting.append(
            f"{self._second_text},{milliseconds:03d} I [{self._process}] {ACCESS.name} - {request}{message}\n"
        )
        if len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write the lines that wait."""
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
