"""The state machine of a replica: a request waits, is admitted, run and ended, each with its deadline.

A request waits until one of the replica's slots is free, which is when it is admitted. It is handed to the
script processes earlier than that, as far as they can be kept busy by it: what they have not begun can be
taken back. The machine knows neither sockets nor processes. It is told what happens, and tells `Scripts` and
the `Call`.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.time_average import TimeAverage

# Requests that may wait although their wait has an end: more could not be served within it.
LONGEST_QUEUE = 64
# Long enough to even out single requests, short enough that an autoscaler sees a rise of the load at once.
AVERAGING_SECONDS = 15
# Calls that one script process may have at hand, so that it need not wait for the front between two of them.
AT_HAND = 256
# Calls whose time inside run() the expected wait is taken from. The median ignores a single slow one.
_REMEMBERED_CALLS = 9
# A request is refused at once where it is expected to wait longer than this share of the longest wait.
# docs/decisions.md 53
_HOPELESS = 0.9

OVERLOADED, NOT_READY = "overloaded", "starting"


class Call:
    """One scoring request. Subclasses know whom to answer."""

    __slots__ = ("admitted", "answered", "arrived", "ended", "number", "overdue", "sent", "stage", "waits")

    def __init__(self) -> None:
        self.number = 0
        self.arrived = 0.0
        # Whether it waits for a slot, and whether it has one.
        self.waits = False
        self.admitted = False
        # Whether the client has its answer, or is gone. The slot is held until the call has ended.
        self.answered = False
        self.ended = False
        # Whether it was handed to the script processes.
        self.sent = False
        # Counts what has a time limit of its own: run(), then each part of a streamed body.
        self.stage = 0
        # Whether it goes on although its client was told that it timed out.
        self.overdue = False

    def refused(self, reason: str) -> None:
        """Tell the client that the request is not scored, for the reason `OVERLOADED` or `NOT_READY`."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Tell the client that the script took too long."""
        raise NotImplementedError

    def crashed(self) -> None:
        """Tell the client that the script's process has ended during the call."""
        raise NotImplementedError


class Scripts(Protocol):
    """The script processes, as the machine sees them."""

    def hand_over(self, call: Call) -> None:
        """Give a call to whichever process is free first."""

    def collect(self) -> None:
        """Report what the processes have answered so far."""

    def has_begun(self, call: Call) -> bool:
        """Whether a process has begun the call."""

    def abandon(self, call: Call) -> None:
        """Have a call skipped. It ends when a process comes across it, or at once where none has it."""

    def interrupt(self, call: Call) -> None:
        """Try to end a call that goes on."""

    def replace(self, call: Call) -> None:
        """Replace the process that makes a call."""


@dataclass(frozen=True)
class Limits:
    """Limits of a replica.

    Args:
        slots: requests admitted at once.
        queue_seconds: longest wait for a slot; None for no end.
        scoring_seconds: longest that `run()`, or a part of a streamed body, may take.
        overdue_seconds: longest that a call may go on after its client was told that it timed out.
    """

    slots: int
    queue_seconds: float | None
    scoring_seconds: float
    overdue_seconds: float


class Replica:
    """Admits calls, hands them over, and ends them. Not safe to use from several threads.

    Whoever has it calls `tick` at `next_deadline`, and asks for that again whenever `alarm` is called.

    Args:
        limits: see there.
        scripts: the processes.
        counts: where waits and times inside `run()` are counted.
        clock: seconds, never going back.
    """

    def __init__(self, limits: Limits, scripts: Scripts, counts: Counts, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.closed = False
        # Called when there is a deadline before the one that `next_deadline` has told last.
        self.alarm: Callable[[], None] = lambda: None
        self._told = math.inf
        # Calls that go on after their client was told that they timed out.
        self.overdue = 0
        self._scripts = scripts
        self._counts = counts
        self._clock = clock
        self._processes = 0
        self._taken = 0
        self._average = TimeAverage(AVERAGING_SECONDS, clock)
        # Requests that wait for a slot. The queue may hold others, which wait no longer.
        self.waiting = 0
        self._waiting: deque[Call] = deque()
        self._unsent: deque[Call] = deque()
        self.at_hand = 0
        self._run_seconds: deque[float] = deque(maxlen=_REMEMBERED_CALLS)
        # Their median; None where it is to be found again.
        self._usual_seconds: float | None = None
        # Deadlines in order, each with the stage of its call that it is for.
        self._scoring: deque[tuple[float, Call, int]] = deque()
        self._overdue: deque[tuple[float, Call]] = deque()
        counts.gauges["busy_slots"] = lambda: self._taken
        counts.gauges["busy_slots_average"] = self._average.mean
        counts.gauges["queued_requests"] = lambda: self.waiting
        counts.gauges["capacity_slots"] = lambda: self.limits.slots

    # What others ask

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._taken

    def refusal(self) -> str | None:
        """Return why a request that arrived now would be refused at once; None where it may wait."""
        if self.closed:
            return NOT_READY
        longest = self.limits.queue_seconds
        if longest is None:
            return None
        free = self.limits.slots - self._taken
        waiting = self.waiting
        if waiting >= free + (LONGEST_QUEUE if longest else 0):
            return OVERLOADED if self._processes else NOT_READY
        # The first in the queue may be lucky.
        if waiting > 1 and len(self._run_seconds) == _REMEMBERED_CALLS and self._processes:
            usual = self._usual_seconds
            if usual is None:
                usual = self._usual_seconds = median(self._run_seconds)
            if waiting * usual / self._processes > longest * _HOPELESS:
                return OVERLOADED
        return None

    # What clients do

    def arrive(self, call: Call) -> None:
        """Take a complete request in; it may be refused at once."""
        if reason := self.refusal():
            call.answered = call.ended = True
            call.refused(reason)
            return
        now = call.arrived = self._clock()
        if self._unsent or self.waiting or self._taken >= self.limits.slots or not self._may_hand_over():
            call.waits = True
            self.waiting += 1
            self._waiting.append(call)
            self._unsent.append(call)
            if self.limits.queue_seconds is not None:
                self._notice(now + self.limits.queue_seconds)
            self._go_on()
            return
        # Most find a slot, and nobody before them.
        self._take_slot(call, now)
        self._average.set(self._taken)
        self._hand_over(call)

    def hang_up(self, call: Call) -> None:
        """The client is gone. A call that has begun goes on; any other is never made."""
        if call.answered or call.ended:
            return
        call.answered = True
        if not (call.sent and self._scripts.has_begun(call)):
            self._abandon(call)

    # What script processes do

    def process_ready(self, parallel_runs: int = 1) -> None:
        """One more process takes calls, so many of them at once."""
        self._processes += parallel_runs
        self._go_on()

    def process_gone(self, parallel_runs: int = 1) -> None:
        """A process that took calls has ended."""
        self._processes -= parallel_runs

    def replied(self, call: Call, run_seconds: float | None, batch: int = 1) -> None:
        """The script has made its answer, or the first part of it; the call may go on with further parts.

        Args:
            call: which.
            run_seconds: time inside `run()`; None where it was not called.
            batch: the size of the batch that the call was part of.
        """
        if run_seconds is not None:
            self._counts.run_seconds.observe(run_seconds)
            self._run_seconds.append(run_seconds / batch)
            self._usual_seconds = None
        if call.waits:
            # The process was quicker than the news of the slot that became free.
            self._counts.queue_seconds.observe(self._clock() - call.arrived)
        call.stage += 1

    def begin_part(self, call: Call) -> None:
        """The next part of a streamed body is being made, which has a time limit of its own."""
        self._limit(call, self._clock())

    def part_made(self, call: Call) -> None:
        """The part was made."""
        call.stage += 1

    def ended(self, call: Call) -> None:
        """The call has ended, or was skipped: its slot is free."""
        if call.ended:
            return
        call.ended = True
        if call.sent:
            self.at_hand -= 1
        if call.overdue:
            self.overdue -= 1
        self._give_back(call)
        self._forget()
        if self._waiting or self._unsent:
            self._go_on()
        else:
            self._average.set(self._taken)

    def crashed(self, call: Call) -> None:
        """The process that made the call has ended."""
        if not call.answered:
            call.answered = True
            call.crashed()
        self.ended(call)

    def lost(self, calls: Sequence[Call]) -> None:
        """A process has ended that had these calls at hand, in this order, and had not begun them.

        Another process gets them. Until then they wait, and their time limit is that of the queue again.
        """
        for call in reversed(calls):
            self.at_hand -= 1
            call.sent = False
            if call.answered:
                call.ended = True
                continue
            self._unsent.appendleft(call)
            if call.admitted:
                self._give_back(call)
                call.stage += 1
                call.waits = True
                self.waiting += 1
                self._waiting.appendleft(call)
        self._go_on()

    def close(self) -> None:
        """Take no request any more; whoever waits is told."""
        self.closed = True
        for call in list(self._waiting):
            if call.waits and not (call.sent and self._scripts.has_begun(call)):
                self._refuse(call, NOT_READY)

    # Time

    def next_deadline(self) -> float | None:
        """Return when `tick` has something to do; None where nothing has a deadline."""
        self._forget()
        times = [self._overdue[0][0]] if self._overdue else []
        if self._waiting and self.limits.queue_seconds is not None:
            times.append(self._waiting[0].arrived + self.limits.queue_seconds)
        if self._scoring:
            times.append(self._scoring[0][0])
        if not times:
            self._told = math.inf
            return None
        self._told = min(times)
        return self._told

    def tick(self) -> None:
        """Do what is due."""
        # An answer that is there already comes before any time limit.
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
        self._go_on()

    # Steps

    def _go_on(self) -> None:
        """Admit whom there is a slot for, and keep the processes busy."""
        if self._processes:
            if self._taken < self.limits.slots and self._waiting:
                now = self._clock()
                while self._taken < self.limits.slots and self._waiting:
                    call = self._waiting.popleft()
                    if call.waits:
                        self._admit(call, now)
            while self._unsent and self._may_hand_over():
                call = self._unsent.popleft()
                if not (call.answered or call.ended):
                    self._hand_over(call)
        self._average.set(self._taken)

    def _may_hand_over(self) -> bool:
        """Whether another call would not lie in the pipe for longer than is needed to keep a process busy."""
        return self.at_hand < AT_HAND * self._processes

    def _hand_over(self, call: Call) -> None:
        call.sent = True
        self.at_hand += 1
        self._scripts.hand_over(call)

    def _admit(self, call: Call, now: float) -> None:
        """Give a slot to a call that waits."""
        call.waits = False
        self.waiting -= 1
        self._take_slot(call, now)

    def _take_slot(self, call: Call, now: float) -> None:
        call.admitted = True
        self._taken += 1
        self._counts.queue_seconds.observe(now - call.arrived)
        self._limit(call, now)

    def _limit(self, call: Call, now: float) -> None:
        """Have what the call does next end within the scoring timeout."""
        at = now + self.limits.scoring_seconds
        self._scoring.append((at, call, call.stage))
        self._notice(at)

    def _notice(self, deadline: float) -> None:
        if deadline < self._told:
            self._told = deadline
            self.alarm()

    def _give_back(self, call: Call) -> None:
        """Take the call's slot, or its place in the queue."""
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
        """Have a call that no client waits for skipped."""
        self._give_back(call)
        call.stage += 1
        if call.sent:
            self._scripts.abandon(call)
        else:
            call.ended = True

    def _time_out(self, call: Call, now: float) -> None:
        if call.sent and self._scripts.has_begun(call):
            # Its slot stays taken until it really ends.
            call.overdue = True
            self.overdue += 1
            self._overdue.append((now + self.limits.overdue_seconds, call))
            self._notice(now + self.limits.overdue_seconds)
            self._scripts.interrupt(call)
        else:
            self._abandon(call)
        call.answered = True
        call.timed_out()

    def _forget(self) -> None:
        """Drop what has ended from the heads of the queues."""
        waiting = self._waiting
        while waiting and not waiting[0].waits:
            waiting.popleft()
        scoring = self._scoring
        while scoring and (scoring[0][1].ended or scoring[0][1].stage != scoring[0][2]):
            scoring.popleft()
        overdue = self._overdue
        while overdue and overdue[0][1].ended:
            overdue.popleft()
