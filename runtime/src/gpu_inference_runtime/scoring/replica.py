"""The state machine of a replica: a request waits, is admitted, runs and ends, each with a deadline.

A request waits until one of the replica's slots is free; then it is admitted. To keep the script processes
busy, a request may be handed to them before that; a call that has not begun can still be withdrawn. The state
machine knows no sockets and no processes: it is told about events, and acts on `Scripts` and the `Call`.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.time_average import TimeAverage

# The longest queue if waiting is limited: more requests could not be served within the limit.
MAX_QUEUE_LENGTH = 64
# Long enough to smooth out single requests, short enough for an autoscaler to notice a rising load at once.
AVERAGING_SECONDS = 15
# Calls handed to a script process in advance, so that it does not wait for the front between two calls.
PREFETCH = 256
# The expected wait is based on the run() times of this many calls. Their median ignores a single slow one.
_REMEMBERED_CALLS = 9
# A request is refused at once if it is expected to wait longer than this share of the longest wait.
# docs/decisions.md 53
_MAX_EXPECTED_SHARE = 0.9

OVERLOADED, NOT_READY = "overloaded", "starting"


class Call:
    """One scoring request. Subclasses send the responses."""

    __slots__ = ("admitted", "answered", "arrived", "ended", "number", "overdue", "sent", "stage", "waits")

    def __init__(self) -> None:
        self.number = 0
        self.arrived = 0.0
        # Whether the call waits for a slot, and whether it has one.
        self.waits = False
        self.admitted = False
        # Whether the client has its response or has disconnected. The call keeps its slot until it ends.
        self.answered = False
        self.ended = False
        # Whether the call was handed to the script processes.
        self.sent = False
        # Counts the stages that have a time limit of their own: run(), then each part of a streamed body.
        self.stage = 0
        # Whether the call still runs after its client got the timeout response.
        self.overdue = False

    def refused(self, reason: str) -> None:
        """Respond that the request is not scored; the reason is `OVERLOADED` or `NOT_READY`."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Respond that the script took too long."""
        raise NotImplementedError

    def crashed(self) -> None:
        """Respond that the script's process died during the call."""
        raise NotImplementedError


class Scripts(Protocol):
    """The script processes, as the state machine uses them."""

    def hand_over(self, call: Call) -> None:
        """Give a call to whichever process is free first."""

    def collect(self) -> None:
        """Process the replies that have arrived so far."""

    def has_begun(self, call: Call) -> bool:
        """Return whether a process has begun the call."""

    def abandon(self, call: Call) -> None:
        """Have a call skipped. It ends when a process reads it."""

    def interrupt(self, call: Call) -> None:
        """Try to end a running call."""

    def replace(self, call: Call) -> None:
        """Replace the process that runs a call."""


@dataclass(frozen=True)
class Limits:
    """Limits of a replica.

    Args:
        slots: requests admitted at once.
        queue_seconds: longest wait for a slot; None for no limit.
        scoring_seconds: longest time for `run()`, or for a part of a streamed body.
        overdue_seconds: longest time that a call may run after its client got the timeout response.
    """

    slots: int
    queue_seconds: float | None
    scoring_seconds: float
    overdue_seconds: float


class Replica:
    """Admits calls, hands them over, and ends them. Not thread-safe.

    The owner calls `tick` at `next_deadline`, and reads `next_deadline` again whenever `alarm` is called.

    Args:
        limits: the replica's limits.
        scripts: the script processes.
        counts: where waits and `run()` times are counted.
        clock: monotonic time in seconds.
    """

    def __init__(self, limits: Limits, scripts: Scripts, counts: Counts, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.closed = False
        # Called when there is a new deadline before the one that `next_deadline` returned last.
        self.alarm: Callable[[], None] = lambda: None
        self._earliest = math.inf
        # Calls that still run after their client got the timeout response.
        self.overdue = 0
        self._scripts = scripts
        self._counts = counts
        self._clock = clock
        self._processes = 0
        self._taken = 0
        self._average = TimeAverage(AVERAGING_SECONDS, clock)
        # Requests that wait for a slot. The deque may hold others that no longer wait.
        self.waiting = 0
        self._waiting: deque[Call] = deque()
        self._unsent: deque[Call] = deque()
        self.handed_over = 0
        self._run_seconds: deque[float] = deque(maxlen=_REMEMBERED_CALLS)
        # Their median; None if it has to be computed again.
        self._usual_seconds: float | None = None
        # Deadlines in order, each with its call and the stage that it is for.
        self._scoring: deque[tuple[float, Call, int]] = deque()
        self._overdue: deque[tuple[float, Call]] = deque()
        counts.gauges["busy_slots"] = lambda: self._taken
        counts.gauges["busy_slots_average"] = self._average.mean
        counts.gauges["queued_requests"] = lambda: self.waiting
        counts.gauges["capacity_slots"] = lambda: self.limits.slots

    # State

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._taken

    def refusal(self) -> str | None:
        """Return why a request that arrives now would be refused at once; None if it may wait."""
        if self.closed:
            return NOT_READY
        longest = self.limits.queue_seconds
        if longest is None:
            return None
        free = self.limits.slots - self._taken
        waiting = self.waiting
        if waiting >= free + (MAX_QUEUE_LENGTH if longest else 0):
            return OVERLOADED if self._processes else NOT_READY
        # The first request in the queue may get a slot at any moment.
        if waiting > 1 and len(self._run_seconds) == _REMEMBERED_CALLS and self._processes:
            usual = self._usual_seconds
            if usual is None:
                usual = self._usual_seconds = median(self._run_seconds)
            if waiting * usual / self._processes > longest * _MAX_EXPECTED_SHARE:
                return OVERLOADED
        return None

    # Events from clients

    def arrive(self, call: Call) -> None:
        """Accept a complete request, or refuse it at once."""
        if reason := self.refusal():
            call.answered = call.ended = True
            call.refused(reason)
            return
        now = call.arrived = self._clock()
        if self._unsent or self.waiting or self._taken >= self.limits.slots or not self._needs_call():
            call.waits = True
            self.waiting += 1
            self._waiting.append(call)
            self._unsent.append(call)
            if self.limits.queue_seconds is not None:
                self._add_deadline(now + self.limits.queue_seconds)
            self._dispatch()
            return
        # The common case: a slot is free, and nothing waits.
        self._take_slot(call, now)
        self._average.set(self._taken)
        self._hand_over(call)

    def hang_up(self, call: Call) -> None:
        """The client has disconnected. A call that has begun goes on; any other is never made."""
        if call.answered or call.ended:
            return
        call.answered = True
        if not (call.sent and self._scripts.has_begun(call)):
            self._abandon(call)

    # Events from script processes

    def process_ready(self, parallel_runs: int = 1) -> None:
        """One more process takes calls, `parallel_runs` of them at once."""
        self._processes += parallel_runs
        self._dispatch()

    def process_gone(self, parallel_runs: int = 1) -> None:
        """A process that took calls has died."""
        self._processes -= parallel_runs

    def replied(self, call: Call, run_seconds: float | None, batch: int = 1) -> None:
        """The script has made its response, or the first part of one; further parts may follow.

        Args:
            call: the call.
            run_seconds: time inside `run()`; None if `run()` was not called.
            batch: size of the batch that the call was part of.
        """
        if run_seconds is not None:
            self._counts.run_seconds.observe(run_seconds)
            self._run_seconds.append(run_seconds / batch)
            self._usual_seconds = None
        if call.waits:
            # The process began the call before this class noticed the free slot.
            self._counts.queue_seconds.observe(self._clock() - call.arrived)
        call.stage += 1

    def begin_part(self, call: Call) -> None:
        """The next part of a streamed body is being made; it has a time limit of its own."""
        self._start_time_limit(call, self._clock())

    def part_made(self, call: Call) -> None:
        """The part has been made."""
        call.stage += 1

    def ended(self, call: Call) -> None:
        """The call has ended, or was skipped: its slot is free."""
        if call.ended:
            return
        call.ended = True
        if call.sent:
            self.handed_over -= 1
        if call.overdue:
            self.overdue -= 1
        self._release(call)
        self._drop_ended()
        if self._waiting or self._unsent:
            self._dispatch()
        else:
            self._average.set(self._taken)

    def crashed(self, call: Call) -> None:
        """The process that made the call has died."""
        if not call.answered:
            call.answered = True
            call.crashed()
        self.ended(call)

    def requeue(self, calls: Sequence[Call]) -> None:
        """Take back calls, in their order, that a process had read but not begun when it died.

        Another process gets them. Until then they wait, and the time limit of the queue applies to them
        again.
        """
        for call in reversed(calls):
            self.handed_over -= 1
            call.sent = False
            if call.answered:
                call.ended = True
                continue
            self._unsent.appendleft(call)
            if call.admitted:
                self._release(call)
                call.stage += 1
                call.waits = True
                self.waiting += 1
                self._waiting.appendleft(call)
        self._dispatch()

    def close(self) -> None:
        """Accept no more requests, and refuse those that wait."""
        self.closed = True
        for call in list(self._waiting):
            if call.waits and not (call.sent and self._scripts.has_begun(call)):
                self._refuse(call, NOT_READY)

    # Time

    def next_deadline(self) -> float | None:
        """Return the earliest deadline, when `tick` has something to do; None if there is none."""
        self._drop_ended()
        times = [self._overdue[0][0]] if self._overdue else []
        if self._waiting and self.limits.queue_seconds is not None:
            times.append(self._waiting[0].arrived + self.limits.queue_seconds)
        if self._scoring:
            times.append(self._scoring[0][0])
        if not times:
            self._earliest = math.inf
            return None
        self._earliest = min(times)
        return self._earliest

    def tick(self) -> None:
        """Act on the deadlines that have passed."""
        # A reply that has already arrived takes precedence over any time limit.
        self._scripts.collect()
        now = self._clock()
        longest = self.limits.queue_seconds
        while longest is not None and self._waiting and self._waiting[0].arrived + longest <= now:
            call = self._waiting.popleft()
            if not call.waits:
                continue
            if call.sent and self._scripts.has_begun(call):
                self._admit(call, now)
            else:
                self._refuse(call, OVERLOADED if self._processes else NOT_READY)
        while self._scoring and self._scoring[0][0] <= now:
            _, call, stage = self._scoring.popleft()
            if not call.ended and call.stage == stage:
                self._time_out(call, now)
        while self._overdue and self._overdue[0][0] <= now:
            _, call = self._overdue.popleft()
            if not call.ended:
                self._scripts.replace(call)
        self._dispatch()

    # Steps

    def _dispatch(self) -> None:
        """Admit calls while slots are free, and keep the processes busy."""
        if self._processes:
            if self._taken < self.limits.slots and self._waiting:
                now = self._clock()
                while self._taken < self.limits.slots and self._waiting:
                    call = self._waiting.popleft()
                    if call.waits:
                        self._admit(call, now)
            while self._unsent and self._needs_call():
                call = self._unsent.popleft()
                if not (call.answered or call.ended):
                    self._hand_over(call)
        self._average.set(self._taken)

    def _needs_call(self) -> bool:
        """Return whether the processes need another call in advance to stay busy."""
        return self.handed_over < PREFETCH * self._processes

    def _hand_over(self, call: Call) -> None:
        call.sent = True
        self.handed_over += 1
        self._scripts.hand_over(call)

    def _admit(self, call: Call, now: float) -> None:
        """Give a waiting call a slot."""
        call.waits = False
        self.waiting -= 1
        self._take_slot(call, now)

    def _take_slot(self, call: Call, now: float) -> None:
        call.admitted = True
        self._taken += 1
        self._counts.queue_seconds.observe(now - call.arrived)
        self._start_time_limit(call, now)

    def _start_time_limit(self, call: Call, now: float) -> None:
        """Start the scoring timeout for the call's current stage."""
        at = now + self.limits.scoring_seconds
        self._scoring.append((at, call, call.stage))
        self._add_deadline(at)

    def _add_deadline(self, deadline: float) -> None:
        if deadline < self._earliest:
            self._earliest = deadline
            self.alarm()

    def _release(self, call: Call) -> None:
        """Free the call's slot, or its place in the queue."""
        if call.admitted:
            call.admitted = False
            self._taken -= 1
        elif call.waits:
            call.waits = False
            self.waiting -= 1

    def _refuse(self, call: Call, reason: str) -> None:
        call.answered = True
        self._abandon(call)
        call.refused(reason)

    def _abandon(self, call: Call) -> None:
        """Have a call skipped that no client waits for."""
        self._release(call)
        call.stage += 1
        if call.sent:
            self._scripts.abandon(call)
        else:
            call.ended = True

    def _time_out(self, call: Call, now: float) -> None:
        if call.sent and self._scripts.has_begun(call):
            # The call keeps its slot until it really ends.
            call.overdue = True
            self.overdue += 1
            self._overdue.append((now + self.limits.overdue_seconds, call))
            self._add_deadline(now + self.limits.overdue_seconds)
            self._scripts.interrupt(call)
        else:
            self._abandon(call)
        call.answered = True
        call.timed_out()

    def _drop_ended(self) -> None:
        """Remove ended calls from the heads of the queues."""
        waiting = self._waiting
        while waiting and not waiting[0].waits:
            waiting.popleft()
        scoring = self._scoring
        while scoring and (scoring[0][1].ended or scoring[0][1].stage != scoring[0][2]):
            scoring.popleft()
        overdue = self._overdue
        while overdue and overdue[0][1].ended:
            overdue.popleft()
