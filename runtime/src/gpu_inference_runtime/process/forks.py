"""Processes that a script forks end by signals as they would anywhere, and the server does not notice.

They inherit the worker's handlers, which would not end them (`multiprocessing`'s `terminate()` would wait for
ever), and its pipe, through which a signal to one of them would look like one to the worker.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

Handler = Callable[[int, Any], Any] | int | None


def end_children_by_signals(worker: object, scripts_sigterm: Callable[[], Handler]) -> None:
    """Give what this process forks from now on the system's handlers in the place of the worker's.

    Args:
        worker: whose methods the handlers are.
        scripts_sigterm: returns the script's own handler of SIGTERM, if it has set one.
    """
    forking = threading.local()

    def block() -> None:
        # One that comes between the fork and the new handlers would still find the old ones.
        forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    def in_child() -> None:
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if getattr(signal.getsignal(number), "__self__", None) is worker:
                signal.signal(number, signal.SIG_DFL)
        if callable(own := scripts_sigterm()):
            signal.signal(signal.SIGTERM, own)
        unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=in_child)
