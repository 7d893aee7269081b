"""Where the process is in its life, for the parts that answer differently then."""

import threading


class State:
    """Starting, then ready; sometimes stuck; at the end draining. Safe to use from any thread.

    `ready` and `draining` are plain attributes: a signal handler sets `draining` and must not take a lock.
    """

    def __init__(self) -> None:
        self.ready = False
        self.draining = False
        self._lock = threading.Lock()
        self._overdue = 0

    @property
    def stuck(self) -> bool:
        """Whether a call of `run()` goes on after its client was told that it timed out."""
        return self._overdue > 0

    @property
    def accepts_traffic(self) -> bool:
        """Whether a load balancer should send requests here."""
        return self.ready and not self.draining and not self.stuck

    def call_overdue(self) -> None:
        """Note that a call has outlived its time."""
        with self._lock:
            self._overdue += 1

    def overdue_call_ended(self) -> None:
        """Note that such a call has ended after all."""
        with self._lock:
            self._overdue -= 1
