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
        "gpu_inference_runtime.observability.logs",
        "gpu_inference_runtime.stand_ins.model_data",
        "gpu_inference_runtime.stand_ins.csv_files",
    }
)
# For how long to wait until the code leaves them (half of it), or a signal arrives, seconds.
_PATIENCE = 2.0
_PAUSE = 0.002
_MESSAGE = "run() has taken longer than the scoring timeout"


class Interrupts:
    """Calls on the main thread that another thread can end; calls on other threads are just made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call: object = None
        self._too_late: object = None
        # When the signal was first sent, and whether one is on its way.
        self._first_sent: float | None = None
        self._pending = False
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
        self._first_sent, self._pending = None, False
        self._before = signal.signal(signal.SIGALRM, self._handler) or signal.SIG_DFL
        try:
            try:
                with self._lock:
                    self._call = call
                    too_late = self._too_late is call
                if too_late:
                    raise TimeoutError(_MESSAGE)
                return function()
            finally:
                # From here on the handler raises nothing.
                self._call = None
        finally:
            self._restore()

    def interrupt(self, call: object) -> None:
        """End the call, unless it has set a handler of its own; where it has not begun, at its beginning.

        For any thread. What has ended already is left alone.
        """
        with self._lock:
            if self._call is not call:
                self._too_late = call
                return
            if self._first_sent is not None:
                return
            self._first_sent = time.monotonic()
        self._send(call)
        threading.Thread(target=self._insist, args=(call,), name="interrupt", daemon=True).start()

    def _send(self, call: object) -> None:
        with self._lock:
            if self._call is call and signal.getsignal(signal.SIGALRM) is self._handler:
                self._pending = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def _insist(self, call: object) -> None:
        """Send the signal again as long as it comes at a bad moment."""
        end = time.monotonic() + _PATIENCE
        while self._call is call and time.monotonic() < end:
            if not self._pending:
                self._send(call)
            time.sleep(_PAUSE)

    def _restore(self) -> None:
        # After this nothing more is sent, because `_call` is None.
        with self._lock:
            end = time.monotonic() + _PATIENCE
        # What was sent a moment ago must find our handler and not the one from before.
        while self._pending and time.monotonic() < end:
            time.sleep(_PAUSE)
        signal.signal(signal.SIGALRM, self._before)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        ours, self._pending = self._pending, False
        if self._call is None or (ours and self._is_bad_moment(frame)):
            return
        if not ours and callable(self._before):
            # The script's own alarm, with the handler that it set in init().
            self._before(number, frame)
            return
        self._call = None
        raise TimeoutError(_MESSAGE)

    def _is_bad_moment(self, frame: FrameType | None) -> bool:
        if time.monotonic() - (self._first_sent or 0.0) > _PATIENCE / 2:
            return False
        while frame is not None and frame.f_code is not _RUN:
            if frame.f_globals.get("__name__") in _NOT_INSIDE:
                return True
            frame = frame.f_back
        return False


_RUN = Interrupts.run.__code__
