import math

import pytest
from tests.bench.arithmetic import Histogram, Spread, nearest_ratios


def test_a_percentile_is_the_smallest_value_at_its_rank() -> None:
    histogram = Histogram.of([[30, 1], [10, 98], [20, 1]])

    assert [histogram.percentile(percent) for percent in (0, 50, 98, 99, 100)] == [10, 10, 10, 20, 30]


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(Histogram().percentile(99))


def test_merged_histograms_count_what_both_counted() -> None:
    merged = Histogram.merged([Histogram.of([[1, 2], [5, 1]]), Histogram.of([[1, 3], [2, 4]])])

    assert merged.buckets == ((1, 5), (2, 4), (5, 1))
    assert merged.total == 10


def test_quartiles_lie_between_values() -> None:
    assert Spread.of([4, 1, 3, 2]) == Spread(2.5, 1.75, 3.25, 4)


def test_a_single_value_is_its_own_quartiles() -> None:
    assert Spread.of([7, math.nan]) == Spread(7, 7, 7, 1)


def test_each_slice_is_compared_with_the_nearest_in_time() -> None:
    base = [(10.0, 100.0), (20.0, 200.0), (30.0, 400.0)]

    assert nearest_ratios([(11.0, 300.0), (19.0, 300.0), (99.0, 300.0)], base) == [3.0, 1.5, 0.75]


def test_of_latencies_the_smaller_has_the_larger_ratio() -> None:
    assert nearest_ratios([(1.0, 5.0)], [(2.0, 50.0)], smaller_is_better=True) == [10.0]


@pytest.mark.parametrize("base", [[], [(1.0, math.nan)]])
def test_without_a_base_there_is_no_ratio(base: list[tuple[float, float]]) -> None:
    assert nearest_ratios([(1.0, 5.0)], base) == []
