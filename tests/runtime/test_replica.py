"""The state machine of a replica, on a clock of the test's own and with script processes that are lists."""

from collections.abc import Callable

import pytest

from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.replica import (
    AVERAGING_SECONDS,
    MAX_QUEUE_LENGTH,
    NOT_READY,
    OVERLOADED,
    PREFETCH,
    Call,
    Limits,
    Replica,
)


class Told(Call):
    """A call that remembers what its client was told."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def refused(self, reason: str) -> None:
        self.told.append(reason)

    def timed_out(self) -> None:
        self.told.append("timed out")

    def crashed(self) -> None:
        self.told.append("crashed")


class Bench:
    """A replica whose clock stands still, and whose processes do what the test says.

    Args:
        slots: requests admitted at once.
        queue: longest wait for a slot, seconds; None for no end.
        scoring: scoring timeout, seconds.
        overdue: seconds after which a process is replaced.
        ready: whether there is a process.
    """

    def __init__(
        self,
        slots: int = 1,
        queue: float | None = 0.5,
        scoring: float = 60,
        overdue: float = 300,
        ready: bool = True,
    ) -> None:
        self.now = 100.0
        self.counts = Counts()
        self.handed: list[Call] = []
        self.begun: list[Call] = []
        self.abandoned: list[Call] = []
        self.interrupted: list[Call] = []
        self.replaced: list[Call] = []
        self.late: list[Callable[[], None]] = []
        limits = Limits(slots, queue, scoring, overdue)
        self.replica = Replica(limits, self, self.counts, lambda: self.now)
        if ready:
            self.replica.process_ready()

    # What the replica wants of the processes

    def hand_over(self, call: Call) -> None:
        self.handed.append(call)

    def collect(self) -> None:
        while self.late:
            self.late.pop()()

    def has_begun(self, call: Call) -> bool:
        return call in self.begun

    def abandon(self, call: Call) -> None:
        self.abandoned.append(call)

    def interrupt(self, call: Call) -> None:
        self.interrupted.append(call)

    def replace(self, call: Call) -> None:
        self.replaced.append(call)

    # What the test does

    def arrive(self) -> Told:
        call = Told()
        self.replica.arrive(call)
        return call

    def begin(self, call: Call) -> None:
        self.begun.append(call)

    def end(self, call: Call, seconds: float = 0.01) -> None:
        self.begin(call)
        self.replica.replied(call, seconds)
        call.answered = True
        self.replica.ended(call)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.replica.tick()

    def gauge(self, name: str) -> float:
        return float(self.counts.gauges[name]())


def test_a_request_gets_a_free_slot_at_once() -> None:
    bench = Bench()
    call = bench.arrive()
    assert (call.admitted, call.sent, bench.replica.taken, bench.replica.waiting) == (True, True, 1, 0)
    bench.end(call)
    assert (bench.replica.taken, bench.replica.waiting, call.told) == (0, 0, [])


def test_requests_are_handed_over_early_and_admitted_in_order() -> None:
    bench = Bench(slots=2)
    calls = [bench.arrive() for _ in range(5)]
    assert bench.handed == calls
    assert [call.admitted for call in calls] == [True, True, False, False, False]
    bench.end(calls[1])
    assert [call.admitted for call in calls] == [True, False, True, False, False]
    assert (bench.gauge("busy_slots"), bench.gauge("queued_requests")) == (2, 2)


def test_no_more_than_the_capacity_is_ever_admitted() -> None:
    bench = Bench(slots=3, queue=None)
    calls = [bench.arrive() for _ in range(50)]
    for call in calls:
        assert sum(each.admitted for each in calls) == min(3, sum(not each.ended for each in calls))
        bench.end(call)
    assert bench.replica.taken == 0


def test_who_waits_too_long_is_refused_and_never_begun() -> None:
    bench = Bench(queue=0.5)
    first, second = bench.arrive(), bench.arrive()
    bench.begin(first)
    bench.wait(0.49)
    assert second.told == []
    bench.wait(0.02)
    assert (first.told, second.told) == ([], [OVERLOADED])
    assert bench.abandoned == [second]
    assert bench.replica.waiting == 0
    # The process comes across it.
    bench.replica.ended(second)
    bench.end(first)
    assert (bench.replica.taken, not (bench.replica.taken or bench.replica.waiting)) == (0, True)


def test_an_answer_that_is_there_comes_before_the_end_of_the_wait() -> None:
    bench = Bench(queue=0.5)
    first, second = bench.arrive(), bench.arrive()
    bench.late.append(lambda: bench.end(first))
    bench.wait(0.6)
    assert second.told == []
    assert second.admitted


def test_a_call_that_a_process_has_begun_is_not_refused() -> None:
    bench = Bench(queue=0.5)
    first, second = bench.arrive(), bench.arrive()
    bench.begin(first)
    bench.begin(second)
    bench.wait(0.6)
    assert second.told == []
    bench.end(second)
    bench.end(first)
    assert bench.replica.taken == 0


def test_a_full_queue_refuses_at_once() -> None:
    bench = Bench(queue=0.5)
    for _ in range(1 + MAX_QUEUE_LENGTH):
        assert bench.arrive().told == []
    assert bench.replica.refusal() == OVERLOADED
    assert bench.arrive().told == [OVERLOADED]
    assert bench.replica.waiting == MAX_QUEUE_LENGTH


def test_without_a_queue_a_busy_replica_refuses_at_once() -> None:
    bench = Bench(queue=0)
    first = bench.arrive()
    assert bench.replica.refusal() == OVERLOADED
    bench.end(first)
    assert bench.replica.refusal() is None


def test_a_wait_that_is_in_vain_is_refused_at_its_beginning() -> None:
    bench = Bench(queue=0.5)
    for _ in range(9):
        bench.end(bench.arrive(), seconds=0.1)
    bench.arrive()
    refused = [bench.arrive().told for _ in range(10)]
    # Five may hope: each of them would wait for the ones before it.
    assert refused == [[]] * 5 + [[OVERLOADED]] * 5


def test_one_slow_call_does_not_make_others_hopeless() -> None:
    bench = Bench(queue=0.5)
    for seconds in [0.001] * 8 + [30]:
        bench.end(bench.arrive(), seconds=seconds)
    bench.arrive()
    assert [bench.arrive().told for _ in range(20)] == [[]] * 20


def test_without_an_end_of_the_wait_nobody_is_refused() -> None:
    bench = Bench(queue=None)
    for _ in range(9):
        bench.end(bench.arrive(), seconds=100)
    assert [bench.arrive().told for _ in range(1000)] == [[]] * 1000
    assert bench.replica.next_deadline() == bench.now + 60


def test_without_a_process_requests_wait_as_for_a_slot() -> None:
    bench = Bench(queue=0.5, ready=False)
    early, late = bench.arrive(), bench.arrive()
    assert bench.handed == []
    bench.wait(0.6)
    assert (early.told, late.told, early.ended) == ([NOT_READY], [NOT_READY], True)
    third = bench.arrive()
    bench.replica.process_ready()
    assert bench.handed == [third]
    assert third.admitted


def test_the_queue_time_is_counted_once_for_each_request() -> None:
    bench = Bench(slots=1, queue=None)
    first, second = bench.arrive(), bench.arrive()
    bench.now += 3
    bench.end(first)
    bench.end(second)
    histogram = bench.counts.queue_seconds
    assert (sum(histogram.buckets), histogram.sum) == (2, 3.0)


def test_a_call_past_its_time_keeps_its_slot_until_it_ends() -> None:
    bench = Bench(scoring=1, overdue=300)
    call = bench.arrive()
    bench.begin(call)
    bench.wait(1.01)
    assert call.told == ["timed out"]
    assert bench.interrupted == [call]
    assert (bench.replica.overdue, bench.replica.taken) == (1, 1)
    bench.wait(5)
    assert bench.replaced == []
    bench.replica.replied(call, 6.0)
    bench.replica.ended(call)
    assert (bench.replica.overdue, bench.replica.taken) == (0, 0)
    bench.wait(400)
    assert bench.replaced == []


def test_a_call_that_times_out_before_it_began_never_begins() -> None:
    bench = Bench(slots=2, queue=0.5, scoring=1)
    first, second = bench.arrive(), bench.arrive()
    bench.begin(first)
    bench.wait(1.01)
    assert (first.told, second.told) == (["timed out"], ["timed out"])
    assert bench.interrupted == [first]
    assert bench.abandoned == [second]
    assert bench.replica.taken == 1


def test_a_process_whose_call_never_ends_is_replaced() -> None:
    bench = Bench(scoring=1, overdue=2, queue=None)
    call, waiting = bench.arrive(), bench.arrive()
    bench.begin(call)
    bench.wait(1.01)
    bench.wait(2.01)
    assert bench.replaced == [call]
    bench.replica.process_gone()
    bench.replica.crashed(call)
    bench.replica.requeue([waiting])
    assert (call.told, waiting.told, bench.replica.overdue) == (["timed out"], [], 0)
    bench.handed.clear()
    bench.replica.process_ready()
    assert bench.handed == [waiting]
    assert waiting.admitted


def test_of_a_process_that_dies_only_the_begun_call_is_lost() -> None:
    bench = Bench(slots=3, queue=5)
    calls = [bench.arrive() for _ in range(6)]
    bench.begin(calls[0])
    bench.replica.process_gone()
    bench.replica.crashed(calls[0])
    bench.replica.requeue(calls[1:])
    assert [call.told for call in calls] == [["crashed"], *[[]] * 5]
    assert (bench.replica.taken, bench.replica.waiting) == (0, 5)
    bench.handed.clear()
    bench.replica.process_ready()
    assert bench.handed == calls[1:]
    assert [call.admitted for call in calls[1:]] == [True, True, True, False, False]


def test_what_waits_for_a_successor_has_the_time_limit_of_the_queue() -> None:
    bench = Bench(queue=0.5)
    first, second = bench.arrive(), bench.arrive()
    bench.begin(first)
    bench.replica.process_gone()
    bench.replica.crashed(first)
    bench.replica.requeue([second])
    bench.wait(0.6)
    assert second.told == [NOT_READY]


def test_a_client_that_hangs_up_while_it_waits_is_never_scored() -> None:
    bench = Bench()
    first, second, third = bench.arrive(), bench.arrive(), bench.arrive()
    bench.begin(first)
    bench.replica.hang_up(second)
    assert bench.abandoned == [second]
    assert bench.replica.waiting == 1
    bench.end(first)
    assert third.admitted
    assert not second.admitted
    bench.replica.ended(second)
    bench.end(third)
    assert (bench.replica.taken, second.told) == (0, [])


def test_a_client_that_hangs_up_does_not_free_the_slot() -> None:
    bench = Bench()
    call = bench.arrive()
    bench.begin(call)
    bench.replica.hang_up(call)
    assert (bench.abandoned, bench.replica.taken) == ([], 1)
    bench.end(call)
    assert bench.replica.taken == 0


def test_no_more_is_handed_over_than_the_processes_can_have_at_hand() -> None:
    bench = Bench(queue=None)
    calls = [bench.arrive() for _ in range(PREFETCH + 10)]
    assert bench.handed == calls[:PREFETCH]
    bench.replica.hang_up(calls[PREFETCH])
    bench.end(calls[0])
    assert bench.handed == [*calls[:PREFETCH], calls[PREFETCH + 1]]
    # Nobody has it: there is nothing to wait for.
    assert calls[PREFETCH].ended


def test_each_part_of_a_stream_has_the_scoring_timeout() -> None:
    bench = Bench(scoring=1)
    call = bench.arrive()
    bench.begin(call)
    bench.now += 0.9
    bench.replica.replied(call, 0.9)
    call.answered = True
    bench.replica.begin_part(call)
    bench.wait(0.9)
    assert call.told == []
    bench.replica.part_made(call)
    bench.wait(10)
    assert call.told == []
    bench.replica.begin_part(call)
    bench.wait(1.1)
    assert call.told == ["timed out"]
    assert bench.interrupted == [call]
    assert bench.replica.taken == 1
    bench.replica.ended(call)
    assert (bench.replica.taken, bench.replica.overdue) == (0, 0)


def test_closing_tells_whoever_waits_and_takes_nobody_in() -> None:
    bench = Bench(queue=None)
    begun, waiting = bench.arrive(), bench.arrive()
    bench.begin(begun)
    bench.replica.close()
    assert (begun.told, waiting.told) == ([], [NOT_READY])
    assert bench.arrive().told == [NOT_READY]


def test_the_next_deadline_is_the_earliest_one() -> None:
    bench = Bench(queue=0.5, scoring=60, overdue=2)
    assert bench.replica.next_deadline() is None
    first = bench.arrive()
    assert bench.replica.next_deadline() == 160
    second = bench.arrive()
    assert bench.replica.next_deadline() == 100.5
    bench.replica.hang_up(second)
    assert bench.replica.next_deadline() == 160
    bench.begin(first)
    bench.wait(60)
    assert bench.replica.next_deadline() == 162


@pytest.mark.parametrize("slots", [1, 4])
def test_the_average_of_taken_slots_looks_back_so_far(slots: int) -> None:
    bench = Bench(slots=slots)
    calls = [bench.arrive() for _ in range(slots)]
    bench.now += AVERAGING_SECONDS / 2
    assert bench.gauge("busy_slots_average") == pytest.approx(slots / 2)
    for call in calls:
        bench.end(call)
    bench.now += AVERAGING_SECONDS
    assert bench.gauge("busy_slots_average") == 0
    assert bench.gauge("capacity_slots") == slots
