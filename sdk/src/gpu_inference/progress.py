"""Tells a person what a long command does: when a step begins, while it lasts, when it ends."""

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
    """Writes steps with their times to a stream (standard error unless told), one whole line at a time.

    A step that lasts says so every few seconds, so that neither a terminal nor a log is ever silent; on a
    terminal in a line that is rewritten. Steps may run side by side in threads.
    """

    def __init__(self, stream: TextIO | None = None, heartbeat_seconds: float | None = None) -> None:
        self._stream = stream or sys.stderr
        self._on_terminal = self._stream.isatty()
        usual = _TERMINAL_HEARTBEAT_SECONDS if self._on_terminal else _LOG_HEARTBEAT_SECONDS
        self._heartbeat_seconds = heartbeat_seconds or usual
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Write one line."""
        self._write(f"{_REWRITE_LINE if self._on_terminal else ''}{text}\n")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step, say every few seconds that it goes on, then how long it took or that it failed."""
        began = time.monotonic()
        ended = threading.Event()
        self.say(f"• {title} …")

        def beat() -> None:
            while not ended.wait(self._heartbeat_seconds):
                self._say_still(f"  {title}: {time.monotonic() - began:.0f} s so far")

        heart = threading.Thread(target=beat, name="progress", daemon=True)
        heart.start()
        try:
            yield
        except BaseException as error:
            ended.set()
            heart.join()
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.say(f"✗ {title}: {word} after {time.monotonic() - began:.1f} s")
            raise
        ended.set()
        heart.join()
        self.say(f"✓ {title}: {time.monotonic() - began:.1f} s")

    def _say_still(self, text: str) -> None:
        self._write(f"{_REWRITE_LINE}{text}" if self._on_terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()


class Silent(Progress):
    """Says nothing: for callers that want the result alone."""

    def _write(self, text: str) -> None:
        """Drop the text."""
