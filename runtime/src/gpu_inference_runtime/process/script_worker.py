"""The worker process: the script on its main thread, HTTP on others, and its end when the script is stuck."""

import logging
import os
import selectors
import signal
import threading
import time
from typing import Any

from gpu_inference_runtime.process.forks import end_children_by_signals
from gpu_inference_runtime.process.worker import DrainingWorker

# The worker's exit status when it ends for its successor; gunicorn logs it.
_REPLACED = 1
# For how long a worker that is to be replaced may go on answering those that wait, seconds.
_LAST_ANSWERS_SECONDS = 10.0
# For how long a busy worker leaves a new connection to the others: they need a moment to wake up, seconds.
_YIELD_SECONDS = 0.001
# gunicorn compares a worker's last sign of life with its timeout: this one never gets too old.
_FAR_AWAY_SECONDS = 1e9

log = logging.getLogger("gpu_inference")


class ScriptWorker(DrainingWorker):
    """gunicorn's worker with its loop on a thread of its own, so that the script has the main thread."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._replaced_at: float | None = None
        self._scripts_sigterm: Any = None

    def run(self) -> None:
        """Make the script's calls until HTTP has ended."""
        threading.Thread(target=self._serve_http, name="http", daemon=True).start()
        self.app.script.serve()
        if callable(self._scripts_sigterm):
            log.info("Calling the script's own handler of SIGTERM")
            try:
                self._scripts_sigterm(signal.SIGTERM, None)
            except SystemExit:
                # What such handlers are for; the server's exit status is its own.
                pass
            except BaseException:
                log.exception("The script's own handler of SIGTERM has failed")

    def _serve_http(self) -> None:
        try:
            # The main thread may be in native code and run no signal handler for long.
            self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._read_signals)
            super().run()
            self.app.flush()
        except BaseException:
            log.exception("The thread that serves HTTP has failed")
            self._end(_REPLACED)
        if self._replaced_at is not None and not self.state.draining:
            self._end(_REPLACED)
        if self.app.script.busy:
            # init(), or a call that timed out: it cannot be waited for.
            log.info("Stopping while the script is still busy")
            self._end(0)
        self.app.script.stop()

    def _end(self, status: int) -> None:
        logging.shutdown()
        os._exit(status)

    # Signals

    def init_signals(self) -> None:
        """Handle signals from now on, whatever the main thread does."""
        super().init_signals()
        # What a worker gets that gives no sign of life: it ends, after its traceback (faulthandler).
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        self._wake_http_at_signals()
        end_children_by_signals(self, lambda: self._scripts_sigterm)

    def keep_signals(self) -> None:
        """Take SIGTERM back from a script that has taken it, or the drain would be lost; on the main thread.

        The script's own handler is called at the end of the drain.
        """
        handler = signal.getsignal(signal.SIGTERM)
        if handler == self.handle_exit or threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGTERM, self.handle_exit)
        self._scripts_sigterm = handler

    def init_has_ended(self) -> None:
        """Begin to give signs of life that may be missed, and take back the signals that init() has taken."""
        self.keep_signals()
        self._wake_http_at_signals()
        self.notify()

    def _wake_http_at_signals(self) -> None:
        signal.set_wakeup_fd(self.PIPE[1], warn_on_full_buffer=False)

    def _read_signals(self, pipe: int) -> None:
        came = os.read(pipe, 4096)
        if signal.SIGINT in came or signal.SIGQUIT in came:
            self.handle_quit(signal.SIGQUIT, None)
        if signal.SIGTERM in came:
            self.handle_exit(signal.SIGTERM, None)

    # Signs of life, and being replaced

    def notify(self) -> None:
        """Tell the parent that HTTP is served. During init() it may take any time until the next sign."""
        self.state.sign_of_life()
        self.app.metrics.refresh()
        if self.state.ready:
            super().notify()
        else:
            never = time.monotonic() + _FAR_AWAY_SECONDS
            os.utime(self.tmp.fileno(), (never, never))

    def replace(self) -> None:
        """Answer those that wait and end, so that gunicorn starts another worker. From any thread."""
        self.method_queue.defer(self._begin_to_end)

    def _begin_to_end(self) -> None:
        self._replaced_at = time.monotonic()
        # New connections wait in the kernel, for the next worker.
        self.set_accept_enabled(False)
        self.alive = False
        self.app.service.close()
        for connection in self.pending_conns:
            connection.timeout = 0.0

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Serve what comes within the timeout, and notice when the last answers take too long."""
        # `self.timeout` is half of what gunicorn allows between two signs of life: a second may be too long.
        super().wait_for_and_dispatch_events(min(timeout, self.timeout))
        if self._replaced_at is not None and time.monotonic() - self._replaced_at > _LAST_ANSWERS_SECONDS:
            self._end(_REPLACED)

    # Several workers

    def accept(self, listener: Any) -> None:
        """Accept a connection; one of several workers that has requests in hand lets the others go first."""
        in_hand = self.nr_conns - len(self.keepalived_conns) - len(self.pending_conns)
        if self.cfg.workers > 1 and in_hand >= self.app.settings.parallel_runs:
            time.sleep(_YIELD_SECONDS)
        super().accept(listener)
