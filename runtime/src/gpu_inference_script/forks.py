"""Processes that a script forks have the script's own signal handlers, and nothing of the server's."""

import contextlib
import os
import signal
import threading
from typing import Callable, Sequence

from gpu_inference_script.interrupts import Interrupts


# docs/decisions.md 60
def leave_to_the_script(
    interrupts: Interrupts, descriptors: Sequence[int], forked: Callable[[], None]
) -> None:
    """See to it that what this process forks from now on is no part of the server.

    Args:
        interrupts: give SIGALRM back there.
        descriptors: closed there, so that the other ends notice the end of this process.
        forked: called there.
    """
    register = getattr(os, "register_at_fork", None)
    # Python 3.6 has none. The descriptors then stay open in such processes, which does no harm.
    if register is None:
        return

    forking = threading.local()

    def block() -> None:
        # Python forgets a signal that comes to the child before it is ready for it.
        forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    def in_child() -> None:
        interrupts.restore()
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        forked()
        unblock()

    register(before=block, after_in_parent=unblock, after_in_child=in_child)
