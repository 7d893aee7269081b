"""Detaches processes that a script forks: script's signal handlers restored, server's pipes closed."""

import contextlib
import os
import signal
import threading
from typing import Callable, Sequence

from gpu_inference_script.interrupts import Interrupts


# docs/decisions.md 60
def detach_forks(interrupts: Interrupts, descriptors: Sequence[int], forked: Callable[[], None]) -> None:
    """Detach the processes that this process forks from now on.

    Args:
        interrupts: restores SIGALRM in the child.
        descriptors: closed in the child, so that the front notices when this process dies.
        forked: called in the child.
    """
    register = getattr(os, "register_at_fork", None)
    # Python 3.6 lacks it. The descriptors then stay open in the children, which does no harm.
    if register is None:
        return

    forking = threading.local()

    def block() -> None:
        # Python would lose a signal that reaches the child before it is ready.
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
