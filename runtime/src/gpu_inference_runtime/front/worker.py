"""The front as gunicorn's worker process: the event loop, its parts, the drain, and the exit.

gunicorn provides the parent process: it handles signals, and starts another front if this one dies.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from typing import Any

import uvloop
from gunicorn.workers.base import Worker

from gpu_inference_runtime.front.connection import Connection
from gpu_inference_runtime.front.exchanges import Exchanges
from gpu_inference_runtime.front.management import Management
from gpu_inference_runtime.front.script_process import ProcessGroups
from gpu_inference_runtime.front.scripts import ScriptProcesses
from gpu_inference_runtime.http.request_head import KnownHeads
from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.observability.traces import traces
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.replica import Limits, Replica
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.settings.definition import script_config
from gpu_inference_script.protocol import START_FAILED

# How often connections and deadlines are checked, and the parent gets a heartbeat.
_CHECK_SECONDS = 1.0
# The receive buffer. All connections share it, because only one receives at a time.
_BUFFER_BYTES = 256 * 1024
# How often to check, at the end of the drain, whether all requests have been answered.
_LAST_RESPONSES_SECONDS = 0.005
# Twice this must stay below the 5 s to spare in Settings.graceful_seconds.
_FLUSH_SECONDS = 2.0

log = logging.getLogger("gpu_inference")


# docs/decisions.md 42
class FrontWorker(Worker):  # type: ignore[misc]  # gunicorn has no type information
    """The front process. gunicorn sets `app`, a process.server.ScoringApplication."""

    # Set before the fork.
    groups: ProcessGroups
    management: socket.socket | None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._exit_status = 0
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Event
        self._early_sigterm = False
        self._serves = False
        self._drains = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # gunicorn's interface

    def load_wsgi(self) -> None:
        """Do nothing: only the page at /docs is a WSGI application, and it is loaded when first used."""

    def init_signals(self) -> None:
        """Replace the signal handlers inherited from the parent, and do not lose a SIGTERM since the fork.

        The inherited handlers put signals into a queue that only the parent reads.
        """
        # docs/decisions.md 56
        inherited = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        super().init_signals()
        queued = getattr(inherited, "SIG_QUEUE", None)
        while queued is not None and not queued.empty():
            if queued.get_nowait() == signal.SIGTERM:
                self._early_sigterm = True
        # The event loop sets up its own pipe for this.
        signal.set_wakeup_fd(-1)

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002  (a signal handler's arguments)
        """Remember a SIGTERM that arrives before the event loop handles it."""
        self._early_sigterm = True

    def handle_quit(self, sig: int, frame: Any) -> None:  # noqa: ARG002  (likewise)
        """Exit at once on a SIGINT or SIGQUIT that arrives before the event loop handles it."""
        os._exit(0)

    def run(self) -> None:
        """Serve, then exit the process."""
        gc.freeze()
        # Requests leave no reference cycles behind: collecting often takes time and finds little.
        gc.set_threshold(20_000)
        loop = uvloop.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loop = loop
        try:
            loop.run_until_complete(self._serve())
        except BaseException:
            log.exception("The server itself failed")
            # If it never served, another attempt would fail too.
            self._exit_status = 1 if self._serves else START_FAILED
        # Do not join the pool's threads: they may be waiting for the token issuer.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(self._exit_status)

    # Serving

    async def _serve(self) -> None:
        settings: Settings = self.app.settings
        loop = self._loop
        self._ended = asyncio.Event()
        counts = Counts()
        self._traces = traces(settings)
        self._scripts = ScriptProcesses(
            settings, script_config(settings), loop, counts, self.groups, self._fail, self._scripts_changed
        )
        limits = Limits(
            settings.slots,
            settings.queue_wait_seconds,
            settings.scoring_timeout_ms / 1000,
            settings.worker_timeout_seconds,
        )
        self._replica = Replica(limits, self._scripts, counts, time.monotonic)
        self._scripts.replica = self._replica
        self._exchanges = Exchanges(settings, self._scripts, self._replica, counts, self._traces, loop)
        self._replica.alarm = self._set_timer
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._quit)
        loop.add_signal_handler(signal.SIGTERM, self._drain)
        metrics = Metrics(counts, settings)
        self._management = Management(self._scripts, self._replica, self._exchanges, metrics)
        if self.management is not None:
            self._management_server = await loop.create_server(
                lambda: self._management.protocol(), sock=self.management
            )
        buffer, known = bytearray(_BUFFER_BYTES), KnownHeads()
        self._servers = [
            await loop.create_server(
                lambda: Connection(self._exchanges, buffer, known), sock=listener.sock, backlog=2048
            )
            for listener in self.sockets
        ]
        self._scripts.start()
        self._serves = True
        self._check()
        if self._early_sigterm:
            self._drain()
        await self._ended.wait()
        await self._end()

    def _set_timer(self) -> None:
        """Set the timer to the replica's next deadline."""
        at = self._replica.next_deadline()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_later(max(at - time.monotonic(), 0.0), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._replica.tick()
        self._set_timer()

    def _check(self) -> None:
        """Check the connections' deadlines, and send the parent a heartbeat."""
        now = time.monotonic()
        for connection in list(self._exchanges.connections):
            connection.check(now)
        self.notify()
        self._set_timer()
        if self.ppid != os.getppid():
            log.info("The parent process has died: the front exits too")
            self._quit()
        self._loop.call_later(_CHECK_SECONDS, self._check)

    def _scripts_changed(self) -> None:
        self._exchanges.scripts_changed()
        self._set_timer()

    # Stopping

    def _fail(self, status: int) -> None:
        self._exit_status = status
        self._scripts.kill()
        self._ended.set()

    def _quit(self) -> None:
        """Handle SIGINT and SIGQUIT: exit at once, even while calls are running."""
        self._scripts.kill()
        logging.shutdown()
        os._exit(0)

    def _drain(self) -> None:
        """Handle SIGTERM: keep serving for the drain time, and announce the end of each connection."""
        if self._drains:
            return
        self._drains = True
        self._exchanges.draining = True
        # A server that was never ready gets no requests to wait for.
        seconds = self.app.settings.drain_seconds if self._scripts.has_been_ready else 0.0
        self._loop.call_later(seconds, self._drained)

    def _drained(self) -> None:
        # Serve connections first that the kernel has already accepted.
        self._loop.call_soon(self._close_listeners)

    def _close_listeners(self) -> None:
        for server in self._servers:
            server.close()
        for listener in self.sockets:
            listener.close()
        log.info("Drained: no new connections are accepted any more")
        if not self._scripts.has_been_ready:
            self._replica.close()
        self._loop.create_task(self._wait_for_last_responses())

    async def _wait_for_last_responses(self) -> None:
        exchanges = self._exchanges
        while True:
            for connection in list(exchanges.connections):
                connection.close_if_idle()
            if all(connection.closing for connection in exchanges.connections):
                break
            await asyncio.sleep(_LAST_RESPONSES_SECONDS)
        exchanges.closed = True
        self._ended.set()

    async def _end(self) -> None:
        if self._exit_status == 0:
            await self._scripts.stop()
        self._exchanges.flush_log()
        end = time.monotonic() + _FLUSH_SECONDS
        while self._exchanges.connections and time.monotonic() < end:
            await asyncio.sleep(_LAST_RESPONSES_SECONDS)
        if self._traces is not None:
            self._traces.flush(_FLUSH_SECONDS)
