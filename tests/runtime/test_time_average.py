"""The mean over a window of time: exact, whatever happened within it and before."""

import random

import pytest

from gpu_inference_runtime.scoring.time_average import TimeAverage


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def average(clock: Clock) -> TimeAverage:
    return TimeAverage(15, clock)


def test_what_was_never_set_is_zero(average: TimeAverage, clock: Clock) -> None:
    assert average.mean() == 0
    clock.now += 100
    assert average.mean() == 0


def test_each_value_weighs_as_long_as_it_held(average: TimeAverage, clock: Clock) -> None:
    average.set(1)
    clock.now += 3
    average.set(4)
    clock.now += 6
    average.set(0)
    clock.now += 1.5
    assert average.mean() == pytest.approx((1 * 3 + 4 * 6) / 15)


def test_what_lies_before_the_window_is_forgotten(average: TimeAverage, clock: Clock) -> None:
    average.set(8)
    clock.now += 10
    average.set(2)
    clock.now += 10
    # 5 s of the 8 are still inside.
    assert average.mean() == pytest.approx((8 * 5 + 2 * 10) / 15)
    clock.now += 5
    assert average.mean() == pytest.approx(2)
    average.set(0)
    clock.now += 15
    assert average.mean() == 0


def test_a_value_that_holds_longer_than_the_window_is_the_mean(average: TimeAverage, clock: Clock) -> None:
    average.set(3)
    clock.now += 1_000_000
    assert average.mean() == pytest.approx(3)


def test_asking_often_changes_nothing(average: TimeAverage, clock: Clock) -> None:
    average.set(5)
    for _ in range(30):
        clock.now += 0.5
        average.mean()
    assert average.mean() == pytest.approx(5)


def test_random_histories_agree_with_the_sum_over_small_steps(clock: Clock) -> None:
    numbers = random.Random(4)
    average = TimeAverage(15, clock)
    history = [0] * 150
    for _ in range(1000):
        value = numbers.randrange(5)
        steps = numbers.choice([0, 1, 1, 2, 7, 40, 400])
        average.set(value)
        history += [value] * steps
        clock.now += steps / 10
        assert average.mean() == pytest.approx(sum(history[-150:]) / 150)


def test_only_the_changes_within_the_window_are_kept(average: TimeAverage, clock: Clock) -> None:
    for number in range(10_000):
        average.set(number % 2)
        clock.now += 0.1
    assert len(average._points) <= 153


def test_changes_that_follow_each_other_closely_take_no_more_memory(
    average: TimeAverage, clock: Clock
) -> None:
    for number in range(100_000):
        average.set(number % 2)
        clock.now += 0.001
    assert average.mean() == pytest.approx(0.5, abs=0.001)
    assert len(average._points) <= 1502


def test_a_number_counts_as_long_as_it_holds(average: TimeAverage, clock: Clock) -> None:
    average.set(9)
    clock.now += 0.001
    average.set(2)
    clock.now += 14
    assert average.mean() == pytest.approx((9 * 0.001 + 2 * 14) / 15)
    average.set(0)
    clock.now += 5
    assert average.mean() == pytest.approx(2 * 10 / 15, abs=0.01)
