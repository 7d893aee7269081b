"""A timer that is finer than the event loop's own, which counts in milliseconds."""

import asyncio
import ctypes
import os
from collections.abc import Callable

# docs/decisions.md 48
_CLOCK_MONOTONIC = 1


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Pause:
    """Calls a function at the end of each pause. There is one pause at a time.

    Args:
        loop: the event loop.
        ended: called at the end of each pause.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
        self.is_active = False
        self._ended = ended
        self._library = ctypes.CDLL(None, use_errno=True)
        # Python has os.timerfd_create only since 3.13.
        self._descriptor = self._library.timerfd_create(_CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        loop.add_reader(self._descriptor, self._end)

    def begin(self, seconds: float) -> None:
        """Begin a pause of less than one second."""
        self.is_active = True
        timer = _TimerSpec(_TimeSpec(0, 0), _TimeSpec(0, int(seconds * 1e9)))
        self._library.timerfd_settime(self._descriptor, 0, ctypes.byref(timer), None)

    def _end(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return
        self.is_active = False
        self._ended()
