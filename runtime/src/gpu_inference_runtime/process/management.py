"""Port 9090: /live, /ready and /metrics, answered by the parent process.

A script can keep its own process from answering anything, by native code that holds Python's lock, or by
ending it. The parent is not touched by that: it replaces the worker, and the pod must live to see it.
"""

import logging
import socket
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from gpu_inference_runtime.observability.worker_metrics import WorkerMetrics
from gpu_inference_runtime.process.state import State

_IDLE_SECONDS = 10
# More than the pause between two signs of life of a worker, seconds.
_MARGIN_SECONDS = 2.0

log = logging.getLogger("gpu_inference")


class Management:
    """Answers for all workers.

    Args:
        states: the workers', one each.
        metrics: where to get theirs.
        longest_call: the scoring timeout, seconds. A worker that is silent for longer is stuck.
    """

    def __init__(self, states: Sequence[State], metrics: WorkerMetrics, longest_call: float) -> None:
        self._states = states
        self._metrics = metrics
        self._longest_silence = longest_call + _MARGIN_SECONDS

    def answer(self, path: str) -> tuple[int, bytes, str]:
        """Return status, body and content type of the answer to GET."""
        if path == "/live":
            return _text(200, "Live")
        if path == "/ready":
            why_not = self._why_not_ready()
            return _text(503, why_not) if why_not else _text(200, "Ready")
        if path == "/metrics":
            try:
                return 200, self._metrics.text(), CONTENT_TYPE_LATEST
            except OSError:
                return _text(503, "No worker process answers at the moment")
        return _text(404, "Not found: this port has /live, /ready and /metrics")

    def serve(self, listener: socket.socket) -> None:
        """Answer on the listening socket from now on, in daemon threads."""
        management = self

        class Handler(BaseHTTPRequestHandler):
            timeout = _IDLE_SECONDS

            def do_GET(self) -> None:
                status, body, content_type = management.answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name for it)
                """Log nothing: a probe every second would be all that a log shows."""

        server = _Server(listener.getsockname(), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        threading.Thread(target=server.serve_forever, name="management", daemon=True).start()

    def _why_not_ready(self) -> str:
        """Return what keeps the first such worker from being ready; empty where all are."""
        if not all(state.ready for state in self._states):
            return "Starting"
        if any(state.draining for state in self._states):
            return "Draining"
        if any(state.stuck or state.silent_seconds > self._longest_silence for state in self._states):
            return "A call of run() has outlived the scoring timeout"
        return ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about a prober that went away in the middle of an answer."""


def _text(status: int, text: str) -> tuple[int, bytes, str]:
    return status, f"{text}\n".encode(), "text/plain; charset=utf-8"
