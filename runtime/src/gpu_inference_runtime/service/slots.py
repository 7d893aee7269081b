"""How many requests a replica works on at once, and the queue in front of them: first come, first served."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gpu_inference_runtime.service.time_average import TimeAverage

# Long enough to even out single requests, short enough that an autoscaler sees a rise of the load at once.
AVERAGING_SECONDS = 15


class OverloadedError(Exception):
    """All slots are taken and the queue is full, or a slot did not become free in time."""


class ClosedError(Exception):
    """No slot is given any more: the process is about to be replaced."""


class Slots:
    """A fixed number of slots with a bounded queue.

    A request first takes a place (before its body is read), then waits for a slot, then gives the slot back.

    Args:
        capacity: slots.
        longest_wait: seconds in the queue before a request is refused; None for no end.
        longest_queue: requests that may hold a place without a slot; with `longest_wait` 0 none may.
        clock: seconds, for the average.
    """

    def __init__(
        self,
        capacity: int,
        longest_wait: float | None,
        longest_queue: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.capacity = capacity
        self._longest_wait = longest_wait
        self._longest_queue = 0 if longest_wait == 0 else longest_queue
        self._lock = threading.Lock()
        self._taken = 0
        self._average = TimeAverage(AVERAGING_SECONDS, clock)
        self._places = 0
        self._waiting: deque[threading.Event] = deque()
        self._closed = False

    @property
    def taken(self) -> int:
        """Slots in use."""
        return self._taken

    def average_taken(self) -> float:
        """Return the mean of the slots in use over the last `AVERAGING_SECONDS`."""
        with self._lock:
            return self._average.mean()

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiting)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue: for as long as the body is read and a slot is waited for.

        Raises:
            OverloadedError: the queue is full.
            ClosedError: there is no queue any more.
        """
        with self._lock:
            if self._closed:
                raise ClosedError
            free = self.capacity - self._taken
            if self._longest_wait is not None and self._places >= free + self._longest_queue:
                raise OverloadedError
            self._places += 1
        try:
            yield
        finally:
            with self._lock:
                self._places -= 1

    def take(self) -> None:
        """Wait for a slot and take it.

        Raises:
            OverloadedError: none became free within the longest wait.
            ClosedError: none will become free.
        """
        with self._lock:
            if self._closed:
                raise ClosedError
            if self._taken < self.capacity and not self._waiting:
                self._set_taken(self._taken + 1)
                return
            granted = threading.Event()
            self._waiting.append(granted)
        granted.wait(self._longest_wait)
        with self._lock:
            # A slot may also have been granted between the end of the wait and here.
            if granted not in self._waiting:
                return
            self._waiting.remove(granted)
            closed = self._closed
        raise ClosedError if closed else OverloadedError

    def give_back(self) -> None:
        """Free a slot: the request that has waited longest gets it."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._set_taken(self._taken - 1)

    def close(self) -> None:
        """Give no slot any more; whoever waits for one is told at once."""
        with self._lock:
            self._closed = True
            for waiting in self._waiting:
                waiting.set()

    def _set_taken(self, number: int) -> None:
        self._taken = number
        self._average.set(number)
