"""The mean of a number over the last seconds, each value weighted by how long it held.

An autoscaler that looks once in a while at a number that changes with each request sees chance; this it can
act on. The mean is exact, and as quick to have under load as in quiet.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple


class _Change(NamedTuple):
    since: float
    value: float
    # Value times seconds, summed up to this change.
    area: float


class TimeAverage:
    """A number that is 0 until it is set. Not safe to use from several threads: its user has the lock.

    Args:
        window_seconds: how far the mean looks back.
        clock: seconds, never going back.
    """

    def __init__(self, window_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window_seconds
        self._clock = clock
        # Oldest first. The first one holds at the window's beginning, all others came later.
        self._changes: deque[_Change] = deque([_Change(clock() - window_seconds, 0.0, 0.0)])

    def set(self, value: float) -> None:
        """Note that the number is this from now on."""
        now = self._clock()
        self._forget_before(now - self._window)
        self._changes.append(_Change(now, value, _area(self._changes[-1], now)))

    def mean(self) -> float:
        """Return the mean over the window that ends now."""
        now = self._clock()
        begin = now - self._window
        self._forget_before(begin)
        return (_area(self._changes[-1], now) - _area(self._changes[0], begin)) / self._window

    def _forget_before(self, begin: float) -> None:
        while len(self._changes) > 1 and self._changes[1].since <= begin:
            self._changes.popleft()


def _area(change: _Change, until: float) -> float:
    return change.area + change.value * (until - change.since)
