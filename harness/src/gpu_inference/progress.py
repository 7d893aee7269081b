"""Tells a person what a long command does: when a step begins, while it lasts, when it ends."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_HEARTBEAT_SECONDS = 3.0


class Progress:
    """Writes steps with their times to a stream (standard error unless told), one whole line at a time.

    A step that lasts says so every few seconds, so that neither a terminal nor a log is ever silent.
    Steps may run side by side in threads.
    """

    def __init__(self, stream: TextIO | None = None, heartbeat_seconds: float = _HEARTBEAT_SECONDS) -> None:
        self._stream = stream or sys.stderr
        self._heartbeat_seconds = heartbeat_seconds
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Write one line."""
        with self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step, say every few seconds that it goes on, then how long it took or that it failed."""
        began = time.monotonic()
        ended = threading.Event()
        self.say(f"• {title} …")

        def beat() -> None:
            while not ended.wait(self._heartbeat_seconds):
                self.say(f"  {title}: {time.monotonic() - began:.0f} s so far")

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


class Silent(Progress):
    """Says nothing: for callers that want the result alone."""

    def say(self, text: str) -> None:
        """Drop the line."""
