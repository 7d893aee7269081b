"""Ends the server when its worker process keeps dying in `init()`: gunicorn alone would start it for ever.

Where the kernel kills one process for want of memory and not the whole container (control groups v1), nothing
else would tell that the service can never get ready.
"""

import logging
import mmap
from typing import Any

from gunicorn.errors import HaltServer

# One may be bad luck, such as a neighbour that had the memory for a moment.
MOST_DEATHS = 3

log = logging.getLogger("gpu_inference")


class InitDeaths:
    """Counts, in the parent process, workers that ended in `init()` one after the other.

    Args:
        exit_status: the server's, once there were too many.
    """

    def __init__(self, exit_status: int) -> None:
        self._exit_status = exit_status
        self._deaths = 0
        # One byte in memory that the worker, a fork, shares: whether its end would be none in init().
        self._past_init = mmap.mmap(-1, 1)

    def past_init(self) -> None:
        """Note, in the worker, that `init()` has ended or is no longer wanted. Takes no lock."""
        self._past_init[0] = 1

    def worker_ended(self, arbiter: Any, worker: Any) -> None:  # noqa: ARG002  (gunicorn's hook `child_exit`)
        """Count the worker that has ended, in the parent.

        Raises:
            HaltServer: it was one too many; gunicorn then ends with the exit status.
        """
        past_init, self._past_init[0] = self._past_init[0], 0
        self._deaths = 0 if past_init else self._deaths + 1
        if self._deaths >= MOST_DEATHS:
            log.error(
                "The process that runs init() has died %d times before init() had ended, with no exception."
                " Most likely it was killed for want of memory (the lines above name the signal). Giving up.",
                self._deaths,
            )
            raise HaltServer("init() never ends.", self._exit_status)
