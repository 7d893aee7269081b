"""The arithmetic of the benchmark: percentiles, spreads, and ratios of slices measured near each other."""

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    """Latencies in buckets, as pairs of microseconds and count, in order."""

    buckets: tuple[tuple[float, int], ...] = ()

    @staticmethod
    def of(pairs: Iterable[Sequence[float]]) -> "Histogram":
        """Return the histogram of some [microseconds, count] in any order."""
        return Histogram(tuple(sorted((float(value), int(count)) for value, count in pairs)))

    @staticmethod
    def merged(histograms: Iterable["Histogram"]) -> "Histogram":
        """Return one histogram of all that several counted."""
        counts: Counter[float] = Counter()
        for histogram in histograms:
            for value, count in histogram.buckets:
                counts[value] += count
        return Histogram.of(counts.items())

    @property
    def total(self) -> int:
        """How many latencies it holds."""
        return sum(count for _, count in self.buckets)

    def percentile(self, percent: float) -> float:
        """Return the smallest value that so many percent do not exceed; NaN where there is none."""
        wanted = math.ceil(self.total * percent / 100)
        seen = 0
        for value, count in self.buckets:
            seen += count
            if seen >= max(wanted, 1):
                return value
        return math.nan


@dataclass(frozen=True)
class Spread:
    """The median of some values with their quartiles."""

    median: float
    low: float
    high: float
    count: int

    @staticmethod
    def of(values: Iterable[float]) -> "Spread":
        """Return the spread of the values that are numbers; all NaN where there is none."""
        ordered = sorted(value for value in values if not math.isnan(value))
        if not ordered:
            return Spread(math.nan, math.nan, math.nan, 0)
        return Spread(
            _quantile(ordered, 0.5), _quantile(ordered, 0.25), _quantile(ordered, 0.75), len(ordered)
        )


def _quantile(ordered: Sequence[float], part: float) -> float:
    place = part * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def nearest_ratios(
    own: Iterable[tuple[float, float]],
    base: Iterable[tuple[float, float]],
    *,
    smaller_is_better: bool = False,
) -> list[float]:
    """Divide each value by the base's value that was measured nearest to it in time.

    Args:
        own: pairs of time and value.
        base: the same of what they are compared with.
        smaller_is_better: divide the base by the value instead, so that a better value has a larger ratio.
    """
    ordered = sorted(pair for pair in base if not math.isnan(pair[1]))
    if not ordered:
        return []
    times = [time for time, _ in ordered]
    ratios = []
    for time, value in own:
        place = bisect.bisect_left(times, time)
        candidates = ordered[max(place - 1, 0) : place + 1]
        _, nearest = min(candidates, key=lambda pair: abs(pair[0] - time))
        above, below = (nearest, value) if smaller_is_better else (value, nearest)
        if below and not math.isnan(value):
            ratios.append(above / below)
    return ratios
