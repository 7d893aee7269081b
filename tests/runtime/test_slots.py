"""Slots and their queue: order, limits, and that nothing is lost or given twice."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpu_inference_runtime.service.slots import AVERAGING_SECONDS, OverloadedError, Slots


def test_a_free_slot_is_had_at_once_and_a_taken_one_not() -> None:
    slots = Slots(capacity=1, longest_wait=0.01, longest_queue=5)
    slots.take()
    assert slots.taken == 1
    with pytest.raises(OverloadedError):
        slots.take()
    slots.give_back()
    assert slots.taken == 0
    slots.take()


def test_slots_go_to_who_has_waited_longest() -> None:
    slots = Slots(capacity=1, longest_wait=60, longest_queue=10)
    slots.take()
    served: list[int] = []

    def wait_for_slot(number: int) -> None:
        slots.take()
        served.append(number)
        slots.give_back()

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=wait_for_slot, args=(number,)))
        threads[-1].start()
        while slots.waiting <= number:
            threading.Event().wait(0.001)
    slots.give_back()
    for thread in threads:
        thread.join(60)
    assert served == [0, 1, 2, 3, 4]
    assert slots.taken == 0


def test_no_more_than_the_capacity_is_ever_taken() -> None:
    slots = Slots(capacity=3, longest_wait=None, longest_queue=0)
    lock = threading.Lock()
    inside = most = 0

    def work(_: int) -> None:
        nonlocal inside, most
        with slots.place():
            slots.take()
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.002)
        with lock:
            inside -= 1
        slots.give_back()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(100)))
    assert most == 3
    assert slots.taken == 0


def test_waits_that_end_while_slots_come_free_lose_no_slot() -> None:
    slots = Slots(capacity=2, longest_wait=0.0005, longest_queue=1000)

    def work(_: int) -> None:
        try:
            slots.take()
        except OverloadedError:
            return
        threading.Event().wait(0.0004)
        slots.give_back()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(2000)))
    assert slots.taken == 0
    slots.take()
    slots.take()
    assert slots.taken == 2


def test_a_full_queue_refuses_before_anything_is_waited_for() -> None:
    slots = Slots(capacity=1, longest_wait=60, longest_queue=2)
    slots.take()
    with slots.place(), slots.place(), pytest.raises(OverloadedError), slots.place():
        pytest.fail("a third place in a queue of two")
    with slots.place():
        pass


def test_with_no_wait_a_place_is_only_had_for_a_free_slot() -> None:
    slots = Slots(capacity=1, longest_wait=0, longest_queue=64)
    with slots.place():
        slots.take()
    with pytest.raises(OverloadedError), slots.place():
        pytest.fail("a place without a free slot")


def test_without_a_longest_wait_nobody_is_refused_a_place() -> None:
    slots = Slots(capacity=1, longest_wait=None, longest_queue=0)
    slots.take()
    with slots.place(), slots.place(), slots.place():
        assert slots.taken == 1


def test_the_average_counts_each_slot_for_as_long_as_it_was_held() -> None:
    now = 100.0
    slots = Slots(capacity=2, longest_wait=60, longest_queue=10, clock=lambda: now)
    slots.take()
    now += 3
    slots.take()
    now += 3
    assert slots.average_taken() == pytest.approx((1 * 3 + 2 * 3) / AVERAGING_SECONDS)
    slots.give_back()
    slots.give_back()
    now += 6
    assert slots.average_taken() == pytest.approx((1 * 3 + 2 * 3) / AVERAGING_SECONDS)
    now += 12
    assert slots.average_taken() == 0


def test_a_slot_that_goes_from_one_request_to_the_next_is_busy_all_the_time() -> None:
    now = 100.0
    slots = Slots(capacity=1, longest_wait=60, longest_queue=10, clock=lambda: now)
    slots.take()
    second = threading.Thread(target=slots.take)
    second.start()
    while not slots.waiting:
        threading.Event().wait(0.001)
    now += AVERAGING_SECONDS / 2
    slots.give_back()
    second.join(60)
    now += AVERAGING_SECONDS / 2
    assert slots.average_taken() == pytest.approx(1)
