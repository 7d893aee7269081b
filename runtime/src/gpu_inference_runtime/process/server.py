"""gunicorn's parent process, which starts the front and starts it again if it dies."""

import gc
import logging
import math
import os
import socket
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from gpu_inference_runtime.front.script_process import ProcessGroups
from gpu_inference_runtime.front.worker import FrontWorker
from gpu_inference_runtime.process.listening import PortError, open_ports
from gpu_inference_runtime.settings import Settings

# The front's event loop never blocks for long. gunicorn replaces a front that is silent for this many
# seconds.
_SILENCE_SECONDS = 30

log = logging.getLogger("gpu_inference")


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no type information
    """Sends gunicorn's log lines to the root logger."""

    def setup(self, cfg: Any) -> None:
        """Add no handlers."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True


class ScoringApplication(BaseApplication):  # type: ignore[misc]  # gunicorn has no type information
    """The server as a gunicorn application.

    Args:
        settings: the server's settings.
        scoring: socket of the scoring port.
        management: socket of the port for probes and metrics; None if there is none.
    """

    def __init__(self, settings: Settings, scoring: socket.socket, management: socket.socket | None) -> None:
        self.settings = settings
        # gunicorn owns the socket from here on, and keeps it when it reloads its configuration.
        self._scoring = scoring.detach()
        self._management = management
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn, from the server's settings alone."""
        options = {
            "bind": f"fd://{self._scoring}",
            # One front distributes the requests over the script processes.
            "workers": 1,
            "worker_class": FrontWorker,
            "timeout": _SILENCE_SECONDS,
            "graceful_timeout": math.ceil(self.settings.graceful_seconds),
            "logger_class": GunicornLogger,
            "control_socket_disable": True,
            "pre_fork": self._before_fork,
            "child_exit": self._front_ended,
        }
        # Keep the heartbeat file in memory, so that a busy disk does not make the front look dead.
        if os.access("/dev/shm", os.W_OK):
            options["worker_tmp_dir"] = "/dev/shm"
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> None:
        """Do nothing: FrontWorker needs no WSGI application."""

    def _before_fork(self, arbiter: Any, worker: FrontWorker) -> None:  # noqa: ARG002  (gunicorn's arguments)
        # The front shares the objects made so far. Its garbage collector must not write to their memory.
        # docs/decisions.md 65
        gc.freeze()
        worker.groups = ProcessGroups(self.settings.worker_count)
        worker.management = self._management

    def _front_ended(self, arbiter: Any, worker: FrontWorker) -> None:  # noqa: ARG002  (likewise)
        # The kernel killed the script processes together with the front, but not their children.
        worker.groups.kill()


def serve(settings: Settings) -> int:
    """Serve until a signal stops the server; return the exit status."""
    try:
        scoring, management = open_ports(settings)
    except PortError as error:
        log.error("%s", error)
        return 1
    try:
        ScoringApplication(settings, scoring, management).run()
    except HaltServer as halt:
        # The front failed while gunicorn was already stopping.
        return int(halt.exit_status)
    return 0
