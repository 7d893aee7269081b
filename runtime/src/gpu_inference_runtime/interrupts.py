"""Ends a call of the script's that has taken too long, as v1's server did: a TimeoutError out of SIGALRM.

The signal reaches sleeps, I/O and Python loops on the main thread. It is sent while that very call is in the
script's code, and at no other time: by default SIGALRM ends a process.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

# An exception in the middle of these could leave a lock taken that other threads need.
_NOT_INSIDE = frozenset(
    {
        "logging",
        "gpu_inference_runtime.logs",
        "gpu_inference_runtime.model_data",
        "gpu_inference_runtime.csv_files",
    }
)
# For how long to wait for the code to leave them, or for a signal that was sent to arrive, seconds.
_PATIENCE = 1.0


class Interrupts:
    """Calls on the main thread that another thread can end; calls on other threads are just made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call: object = None
        self._sent_at: float | None = None
        self._arrived = False
        self._before: Any = signal.SIG_DFL
        # One object, to be recognised by.
        self._handler = self._on_alarm

    def run(self, call: object, function: Callable[[], T]) -> T:
        """Run the function for the call that `interrupt` would name.

        Raises:
            TimeoutError: `interrupt` was called meanwhile, and the function let it through.
        """
        if threading.current_thread() is not threading.main_thread():
            return function()
        self._sent_at, self._arrived = None, False
        self._before = signal.signal(signal.SIGALRM, self._handler) or signal.SIG_DFL
        try:
            try:
                self._call = call
                return function()
            finally:
                # From here on the handler raises nothing.
                self._call = None
        finally:
            self._restore()

    def interrupt(self, call: object) -> None:
        """End the call, if it is in the script's code and has not set a handler of its own. Any thread's."""
        with self._lock:
            if (
                self._call is call
                and self._sent_at is None
                and signal.getsignal(signal.SIGALRM) is self._handler
            ):
                self._sent_at = time.monotonic()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def _restore(self) -> None:
        # After this nothing more is sent, because `_call` is None.
        with self._lock:
            sent_at = self._sent_at
        # What was sent a moment ago must find our handler and not the one from before.
        while sent_at is not None and not self._arrived and time.monotonic() - sent_at < _PATIENCE:
            time.sleep(0.001)
        signal.signal(signal.SIGALRM, self._before)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        ours = self._sent_at is not None and not self._arrived
        if ours and self._call is not None and self._must_wait(frame):
            # Python calls this handler again as soon as it has gone on a little.
            signal.raise_signal(signal.SIGALRM)
            return
        self._arrived = self._arrived or ours
        if self._call is None:
            return
        if not ours and callable(self._before):
            # The script's own alarm, with the handler that it set in init().
            self._before(number, frame)
            return
        self._call = None
        raise TimeoutError("run() has taken longer than the scoring timeout")

    def _must_wait(self, frame: FrameType | None) -> bool:
        if time.monotonic() - (self._sent_at or 0.0) > _PATIENCE:
            return False
        while frame is not None and frame.f_code is not _RUN:
            if frame.f_globals.get("__name__") in _NOT_INSIDE:
                return True
            frame = frame.f_back
        return False


_RUN = Interrupts.run.__code__
