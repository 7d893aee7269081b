"""Shows the progress of long commands: when a step begins, that it still runs, and when it ends."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_LOG_HEARTBEAT_SECONDS = 5.0
_TERMINAL_HEARTBEAT_SECONDS = 1.0
_REWRITE_LINE = "\r\x1b[K"


class Progress:
    """Writes steps and their durations to a stream, one whole line at a time.

    A running step reports its elapsed time every few seconds; on a terminal that line is rewritten in place.
    Steps may run concurrently in threads.

    Args:
        stream: where to write. Default: standard error.
        heartbeat_seconds: seconds between two reports. Default: 1 on a terminal, 5 elsewhere.

    Example:
        with Progress().step("Fetching Helm"):
            fetch()
    """

    def __init__(self, stream: TextIO | None = None, heartbeat_seconds: float | None = None) -> None:
        self._stream = stream or sys.stderr
        self._on_terminal = self._stream.isatty()
        default = _TERMINAL_HEARTBEAT_SECONDS if self._on_terminal else _LOG_HEARTBEAT_SECONDS
        self._heartbeat_seconds = heartbeat_seconds or default
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Write one line."""
        self._write(f"{_REWRITE_LINE if self._on_terminal else ''}{text}\n")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Report the start of a step, its elapsed time every few seconds, and its duration or failure."""
        began = time.monotonic()
        ended = threading.Event()
        self.say(f"• {title} …")

        def report() -> None:
            while not ended.wait(self._heartbeat_seconds):
                self._report_running(f"  {title}: {time.monotonic() - began:.0f} s so far")

        heartbeat = threading.Thread(target=report, name="progress", daemon=True)
        heartbeat.start()
        try:
            yield
        except BaseException as error:
            ended.set()
            heartbeat.join()
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.say(f"✗ {title}: {word} after {time.monotonic() - began:.1f} s")
            raise
        ended.set()
        heartbeat.join()
        self.say(f"✓ {title}: {time.monotonic() - began:.1f} s")

    def _report_running(self, text: str) -> None:
        self._write(f"{_REWRITE_LINE}{text}" if self._on_terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()


class Silent(Progress):
    """Writes nothing; the default of functions in this package."""

    def _write(self, text: str) -> None:
        """Drop the text."""
