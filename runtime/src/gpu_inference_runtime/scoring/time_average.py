"""The mean of a number over the last seconds, each value weighted by how long it lasted.

A number that changes with each request looks random to an autoscaler that samples it now and then; its mean
does not. The mean is exact except for changes within 0.01 s of the window's start, and takes no longer to
compute under load.
"""

import time
from collections import deque
from collections.abc import Callable

# Changes closer together than this are merged, seconds.
_NEAR = 0.01


class TimeAverage:
    """A number, 0 until it is set, and its mean over time. Not thread-safe.

    Args:
        window_seconds: how far the mean looks back.
        clock: monotonic time in seconds.
    """

    def __init__(self, window_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = window_seconds
        self._clock = clock
        # The number, when it was set, and the sum of value times seconds up to then.
        self._value = 0.0
        self._since = clock() - window_seconds
        self._area = 0.0
        # Times and the areas up to them, oldest first. Only the first may lie before the window.
        self._points: deque[tuple[float, float]] = deque([(self._since, 0.0)])

    def set(self, value: float) -> None:
        """Set the number."""
        if value == self._value:
            return
        now = self._clock()
        points, since = self._points, self._since
        if now - points[-1][0] >= _NEAR:
            if since > points[-1][0]:
                points.append((since, self._area))
            begin = now - self._window
            while len(points) > 1 and points[1][0] <= begin:
                points.popleft()
        self._area += self._value * (now - since)
        self._since = now
        self._value = value

    def mean(self) -> float:
        """Return the mean over the window, which ends now."""
        now = self._clock()
        begin = now - self._window
        area = self._area + self._value * (now - self._since)
        before, before_area = self._points[0]
        for at, at_area in (*self._points, (self._since, self._area), (now, area)):
            if at > begin:
                share = (begin - before) / (at - before)
                return (area - before_area - share * (at_area - before_area)) / self._window
            before, before_area = at, at_area
        return self._value
