"""Ends the server when its worker process keeps dying in `init()`: gunicorn alone would start it for ever.

Where the kernel kills one process for want of memory and not the whole container (control groups v1), nothing
else would tell that the service can never get ready.
"""

import logging

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

    def worker_ended(self, past_init: bool) -> None:
        """Count a worker that has ended.

        Raises:
            HaltServer: it was one too many; gunicorn then ends with the exit status.
        """
        self._deaths = 0 if past_init else self._deaths + 1
        if self._deaths >= MOST_DEATHS:
            log.error(
                "The process that runs init() has died %d times before init() had ended, with no exception."
                " Most likely it was killed for want of memory (the lines above name the signal). Giving up.",
                self._deaths,
            )
            raise HaltServer("init() never ends.", self._exit_status)
