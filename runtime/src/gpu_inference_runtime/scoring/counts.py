"""The service's counters and histograms, as plain numbers; metrics.py exports them to Prometheus."""

from bisect import bisect_left
from collections.abc import Callable, Sequence

# From a small net on a GPU (about 1 ms) to the longest scoring timeout that v1 allowed (300 s).
SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """Counts of values per bucket, and their sum.

    Args:
        bounds: upper bounds of the buckets, ascending; one more bucket without a bound follows.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.buckets[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Counts:
    """All numbers of one server. Times are in seconds."""

    def __init__(self) -> None:
        self.requests: dict[int, int] = {}
        self.refusals: dict[str, int] = {}
        self.model_data_rows: dict[str, int] = {}
        self.request_seconds = Histogram(SECONDS_BUCKETS)
        self.queue_seconds = Histogram(SECONDS_BUCKETS)
        self.run_seconds = Histogram(SECONDS_BUCKETS)
        self.batch_requests = Histogram(SIZE_BUCKETS)
        self.init_seconds = 0.0
        self.gauges: dict[str, Callable[[], float]] = {}

    def answered(self, status: int, seconds: float) -> None:
        """Count the response to a scoring request, and the time from its headers to its response."""
        requests = self.requests
        requests[status] = requests.get(status, 0) + 1
        self.request_seconds.observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a scoring request that did not reach `run()`."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def collected(self, outcome: str, rows: int) -> None:
        """Count rows of collected model data by their outcome, `written` or `dropped`."""
        self.model_data_rows[outcome] = self.model_data_rows.get(outcome, 0) + rows
