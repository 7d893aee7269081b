"""Ends calls that take too long, like v1's server: a signal handler raises a TimeoutError in the script.

The signal interrupts sleeps, I/O and Python loops on the main thread. The front repeats it until it has been
delivered; one that arrives at a bad moment, such as inside `logging`, is ignored. v1's server used SIGALRM,
and scripts rely on that: a SIGALRM without a handler also raises a TimeoutError, and a script with a SIGALRM
handler of its own is not interrupted.
"""

import os
import signal
import threading
import time

# signal.getsignal converts the result to an enumeration, which takes ten times as long.
from _signal import getsignal  # type: ignore[import-not-found]
from types import FrameType
from typing import Any, Callable, Optional, TypeVar

from gpu_inference_script.protocol import INTERRUPT_SIGNAL

T = TypeVar("T")

_ALARM = int(signal.SIGALRM)

# An exception inside these modules could leave a lock held that other threads need.
_NOT_INSIDE = frozenset(
    {
        "logging",
        "gpu_inference_script.logs",
        "gpu_inference_script.stand_ins.model_data",
        "gpu_inference_script.stand_ins.csv_files",
    }
)
# After this time, a call is interrupted at any moment.
_MAX_DELAY_SECONDS = 1.0
_MESSAGE = "run() has taken longer than the scoring timeout"


class Interrupts:
    """Runs calls so that the front can interrupt them; calls on other threads than the main one are just run.

    A SIGALRM handler that the script sets in `init()` gets the script's own alarms, also during `run()`. One
    that it sets in `run()` stays until the end of that call, which then is not interrupted.

    Args:
        wanted: returns whether the front wants a call to end.
        delivered: records that the call has been interrupted.
    """

    def __init__(self, wanted: Callable[[Any], bool], delivered: Callable[[Any], None]) -> None:
        self._wanted = wanted
        self._delivered = delivered
        self._main_thread = threading.main_thread().ident
        # The call that may be interrupted; None once it has been.
        self._call: "Any" = None
        self._in_call = False
        self._bad_since = 0.0
        # The script's SIGALRM handler.
        self._before: "Any" = signal.SIG_DFL
        # One object, so that `is` recognises it: each access makes a new bound method.
        self._alarmed = self._on_alarm
        signal.signal(INTERRUPT_SIGNAL, self._on_interrupt)

    def run(self, call: Any, function: Callable[[], T]) -> T:
        """Run the function as part of a call.

        Raises:
            TimeoutError: the front wanted the call to end, and the function did not catch the exception.
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
            # From here on, the handlers raise nothing.
            self._call = None
            self._in_call = False
            self._bad_since = 0.0
            if getsignal(_ALARM) is not self._alarmed:
                signal.signal(signal.SIGALRM, self._alarmed)

    def restore(self) -> None:
        """Restore the script's SIGALRM handler; called in processes that the script forks."""
        if getsignal(_ALARM) is self._alarmed:
            signal.signal(signal.SIGALRM, self._before)

    def _on_interrupt(self, number: int, frame: Optional[FrameType]) -> None:  # noqa: ARG002
        call = self._call
        if call is None or not self._wanted(call):
            # The call ended before the signal arrived.
            return
        if getsignal(_ALARM) is self._alarmed and not self._is_bad_moment(frame):
            self._delivered(call)
            self._call = None
            raise TimeoutError(_MESSAGE)

    def _on_alarm(self, number: int, frame: Optional[FrameType]) -> None:
        """Handle the script's own alarms."""
        if callable(self._before):
            self._before(number, frame)
        elif self._call is not None:
            self._call = None
            raise TimeoutError(_MESSAGE)
        elif not self._in_call and self._before == signal.SIG_DFL:
            # The default action, as without this handler.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGALRM)

    def _is_bad_moment(self, frame: Optional[FrameType]) -> bool:
        now = time.monotonic()
        self._bad_since = self._bad_since or now
        if now - self._bad_since > _MAX_DELAY_SECONDS:
            return False
        while frame is not None and frame.f_code is not _RUN:
            if frame.f_globals.get("__name__") in _NOT_INSIDE:
                return True
            frame = frame.f_back
        return False


_RUN = Interrupts.run.__code__
