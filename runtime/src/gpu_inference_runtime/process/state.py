"""Where a worker process is in its life, in memory that its parent shares: probes are answered there."""

import mmap
import struct
import threading
import time

_READY, _DRAINING, _STUCK, _PAST_INIT = range(4)
_SIGN = struct.Struct("=d")
_SIGN_AT = 8


class State:
    """Starting, then ready; sometimes stuck; at the end draining. Safe to use from any thread.

    It is made before the worker is forked. Its flags are single bytes: a signal handler may set them, and the
    parent reads them whatever the worker does.
    """

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _SIGN_AT + _SIGN.size)
        self._lock = threading.Lock()
        self._overdue = 0

    def clear(self) -> None:
        """Begin anew, for the next worker."""
        self._shared[:] = bytes(len(self._shared))
        self._overdue = 0

    @property
    def ready(self) -> bool:
        """Whether `init()` has ended well."""
        return bool(self._shared[_READY])

    @ready.setter
    def ready(self, value: bool) -> None:
        self._shared[_READY] = value

    @property
    def draining(self) -> bool:
        """Whether the worker was told to stop."""
        return bool(self._shared[_DRAINING])

    @draining.setter
    def draining(self, value: bool) -> None:
        self._shared[_DRAINING] = value

    @property
    def past_init(self) -> bool:
        """Whether `init()` has ended or is no longer wanted."""
        return bool(self._shared[_PAST_INIT])

    @past_init.setter
    def past_init(self, value: bool) -> None:
        self._shared[_PAST_INIT] = value

    @property
    def stuck(self) -> bool:
        """Whether a call of `run()` goes on after its client was told that it timed out."""
        return bool(self._shared[_STUCK])

    @property
    def accepts_traffic(self) -> bool:
        """Whether a load balancer should send requests here."""
        return self.ready and not self.draining and not self.stuck

    @property
    def silent_seconds(self) -> float:
        """How long ago the worker last gave a sign of life; 0 before its first one."""
        (last,) = _SIGN.unpack_from(self._shared, _SIGN_AT)
        return time.monotonic() - last if last else 0.0

    def sign_of_life(self) -> None:
        """Note that the worker still serves HTTP."""
        _SIGN.pack_into(self._shared, _SIGN_AT, time.monotonic())

    def call_overdue(self) -> None:
        """Note that a call has outlived its time."""
        self._count_overdue(1)

    def overdue_call_ended(self) -> None:
        """Note that such a call has ended after all."""
        self._count_overdue(-1)

    def _count_overdue(self, more: int) -> None:
        with self._lock:
            self._overdue += more
            self._shared[_STUCK] = self._overdue > 0
