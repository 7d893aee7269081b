"""Puts the parts together: gunicorn's parent process, and the front that it starts."""

import gc
import logging
import math
import os
import socket
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from gpu_inference_runtime.front.scripts import Groups
from gpu_inference_runtime.front.worker import FrontWorker
from gpu_inference_runtime.process.listening import PortError, open_ports
from gpu_inference_runtime.settings import Settings

# The event loop of the front never does anything for long: a front that is silent for so long hangs, seconds.
_SILENCE_SECONDS = 30

log = logging.getLogger("gpu_inference")


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no type information
    """Writes gunicorn's lines through our handler."""

    def setup(self, cfg: Any) -> None:
        """Leave all handling to the root logger."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True


class ScoringApplication(BaseApplication):  # type: ignore[misc]  # gunicorn has no type information
    """gunicorn's view of the service.

    Args:
        settings: what the server was told.
        scoring: listens on the port for scoring.
        management: listens on the port for probes and metrics; None where there is none.
    """

    def __init__(self, settings: Settings, scoring: socket.socket, management: socket.socket | None) -> None:
        self.settings = settings
        # gunicorn takes it over, and keeps it when it is told to read its configuration again.
        self._scoring = scoring.detach()
        self._management = management
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn how to run, from our settings alone."""
        options = {
            "bind": f"fd://{self._scoring}",
            # One front: it distributes requests over the script processes.
            "workers": 1,
            "worker_class": FrontWorker,
            "timeout": _SILENCE_SECONDS,
            "graceful_timeout": math.ceil(self.settings.graceful_seconds),
            "logger_class": GunicornLogger,
            "control_socket_disable": True,
            "pre_fork": self._before_fork,
            "child_exit": self._front_ended,
        }
        # The heartbeat file: in memory, so that a busy disk does not make the front look dead.
        if os.access("/dev/shm", os.W_OK):
            options["worker_tmp_dir"] = "/dev/shm"
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> None:
        """Load nothing: FrontWorker needs no WSGI application."""

    def _before_fork(self, arbiter: Any, worker: FrontWorker) -> None:  # noqa: ARG002  (gunicorn's arguments)
        # What is there already stays shared with the front, whose garbage collector would else write to it.
        # docs/decisions.md 65
        gc.freeze()
        worker.groups = Groups(self.settings.worker_count)
        worker.management = self._management

    def _front_ended(self, arbiter: Any, worker: FrontWorker) -> None:  # noqa: ARG002  (likewise)
        # The kernel has killed the script processes with it, but not what scripts have started.
        worker.groups.kill()


def serve(settings: Settings) -> int:
    """Serve until a signal says stop; return the exit status."""
    try:
        scoring, management = open_ports(settings)
    except PortError as error:
        log.error("%s", error)
        return 1
    try:
        ScoringApplication(settings, scoring, management).run()
    except HaltServer as halt:
        # A front that failed while gunicorn was already stopping.
        return int(halt.exit_status)
    return 0
