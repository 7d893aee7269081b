"""Ends a call of the script's that has taken too long, as v1's server did: by a TimeoutError out of a signal.

The signal reaches sleeps, I/O and Python loops on the main thread. The front sends it, again and again until
it has been delivered: one that comes at a bad moment, such as within `logging`, is ignored. v1's server used
SIGALRM, and so scripts know: an alarm without a handler is a TimeoutError as well, and a script with a
handler of its own is left alone.
"""

import os
import signal
import threading
import time

# The one of `signal` makes enumerations of what this returns, in ten times the time.
from _signal import getsignal  # type: ignore[import-not-found]
from types import FrameType
from typing import Any, Callable, Optional, TypeVar

from gpu_inference_script.protocol import INTERRUPT_SIGNAL

T = TypeVar("T")

_ALARM = int(signal.SIGALRM)

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

    A handler of SIGALRM that the script has set in `init()` gets the script's own alarms, also during
    `run()`. One that it sets in `run()` holds to the end of that call, which is then not ended.

    Args:
        wanted: returns whether the front wants a call to end.
        delivered: notes that the call was told.
    """

    def __init__(self, wanted: Callable[[Any], bool], delivered: Callable[[Any], None]) -> None:
        self._wanted = wanted
        self._delivered = delivered
        self._main_thread = threading.main_thread().ident
        # The one that may be ended; one that was told is none any more.
        self._call: "Any" = None
        self._in_call = False
        self._bad_since = 0.0
        # The script's.
        self._before: "Any" = signal.SIG_DFL
        # One object, to be recognised by.
        self._alarmed = self._on_alarm
        signal.signal(INTERRUPT_SIGNAL, self._on_interrupt)

    def run(self, call: Any, function: Callable[[], T]) -> T:
        """Run the function as part of a call.

        Raises:
            TimeoutError: the front wanted the call to end, and the function let the exception through.
        """
        if threading.get_ident() != self._main_thread:
            return function()
        if getsignal(_ALARM) is not self._alarmed:
            self._before = signal.signal(signal.SIGALRM, self._alarmed) or signal.SIG_DFL
        try:
            self._in_call = True
            self._call = call
            if self._wanted(call):
                self._delivered(call)
                raise TimeoutError(_MESSAGE)
            return function()
        finally:
            # From here on the handlers raise nothing.
            self._call = None
            self._in_call = False
            self._bad_since = 0.0
            if getsignal(_ALARM) is not self._alarmed:
                signal.signal(signal.SIGALRM, self._alarmed)

    def restore(self) -> None:
        """Give SIGALRM back to the script; in a process that the script has forked."""
        if getsignal(_ALARM) is self._alarmed:
            signal.signal(signal.SIGALRM, self._before)

    def _on_interrupt(self, number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG002
        call = self._call
        if call is None or not self._wanted(call):
            # The call that was meant has ended while the signal was on its way.
            return
        if getsignal(_ALARM) is self._alarmed and not self._is_bad_moment(frame):
            self._delivered(call)
            self._call = None
            raise TimeoutError(_MESSAGE)

    def _on_alarm(self, number: int, frame: Optional[FrameType]) -> None:
        """An alarm of the script's own."""
        if callable(self._before):
            self._before(number, frame)
        elif self._call is not None:
            self._call = None
            raise TimeoutError(_MESSAGE)
        elif not self._in_call and self._before == signal.SIG_DFL:
            # As it would be without us.
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
