"""Ends a call of the script's that has taken too long, as v1's server did: a TimeoutError out of SIGALRM.

The signal reaches sleeps, I/O and Python loops on the main thread. The front sends it, again and again until it
has been delivered: a signal that comes at a bad moment, such as within `logging`, is ignored.
"""

import os
import signal
import threading
import time
from types import FrameType
from typing import Any, Callable, Optional, TypeVar

T = TypeVar("T")

# An exception in the middle of these could leave a lock taken that other threads need.
_NOT_INSIDE = frozenset(
    {
        "logging",
        "gpu_inference_script.logs",
        "gpu_inference_script.stand_ins.model_data",
        "gpu_inference_script.stand_ins.csv_files",
    }
)
# Longer than that no moment is bad, seconds.
_PATIENCE = 1.0
_MESSAGE = "run() has taken longer than the scoring timeout"


class Interrupts:
    """Calls on the main thread that the front can end; calls on other threads are just made.

    A handler of SIGALRM that the script has set in `init()` gets the script's own alarms, also during `run()`.
    One that it sets in `run()` holds to the end of that call.

    Args:
        wanted: returns whether the front wants a call to end.
        delivered: notes that the call was told.
    """

    def __init__(self, wanted: Callable[[Any], bool], delivered: Callable[[Any], None]) -> None:
        self._wanted = wanted
        self._delivered = delivered
        self._main_thread = threading.main_thread().ident
        self._call = None  # type: Any
        self._last_call = None  # type: Any
        self._bad_since = 0.0
        # The script's.
        self._before = signal.SIG_DFL  # type: Any
        # One object, to be recognised by.
        self._handler = self._on_alarm

    def run(self, call: Any, function: Callable[[], T]) -> T:
        """Run the function as part of a call.

        Raises:
            TimeoutError: the front wanted the call to end, and the function let the exception through.
        """
        if threading.get_ident() != self._main_thread:
            return function()
        if signal.getsignal(signal.SIGALRM) is not self._handler:
            self._before = signal.signal(signal.SIGALRM, self._handler) or signal.SIG_DFL
        try:
            self._call = call
            return function()
        finally:
            # From here on the handler raises nothing.
            self._call, self._last_call = None, call
            self._bad_since = 0.0
            if signal.getsignal(signal.SIGALRM) is not self._handler:
                signal.signal(signal.SIGALRM, self._handler)

    def restore(self) -> None:
        """Give SIGALRM back to the script; in a process that the script has forked."""
        if signal.getsignal(signal.SIGALRM) is self._handler:
            signal.signal(signal.SIGALRM, self._before)

    def _on_alarm(self, number: int, frame: Optional[FrameType]) -> None:
        call = self._call
        if call is not None and self._wanted(call):
            if self._is_bad_moment(frame):
                return
            self._delivered(call)
            self._call = None
            raise TimeoutError(_MESSAGE)
        if self._last_call is not None and self._wanted(self._last_call):
            # The call has ended while the signal was on its way.
            self._delivered(self._last_call)
        elif callable(self._before):
            # The script's own alarm.
            self._before(number, frame)
        elif call is not None:
            # Likewise, without a handler of its own: under v1 the server's was in its place during run().
            self._call = None
            raise TimeoutError(_MESSAGE)
        elif self._before == signal.SIG_DFL:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGALRM)

    def _is_bad_moment(self, frame: Optional[FrameType]) -> bool:
        now = time.monotonic()
        self._bad_since = self._bad_since or now
        if now - self._bad_since > _PATIENCE:
            return False
        while frame is not None and frame.f_code is not _RUN:
            if frame.f_globals.get("__name__") in _NOT_INSIDE:
                return True
            frame = frame.f_back
        return False


_RUN = Interrupts.run.__code__
