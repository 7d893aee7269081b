"""Port 9090: /live, /ready and /metrics, on threads of its own: scoring never keeps a probe waiting."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST

from gpu_inference_runtime.metrics import Metrics
from gpu_inference_runtime.state import State

_IDLE_SECONDS = 10


def serve_management(listener: socket.socket, state: State, metrics: Metrics) -> None:
    """Answer on the listening socket from now on, in daemon threads."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/live":
                self._answer(200, b"Live\n")
            elif path == "/ready":
                ready = state.accepts_traffic
                self._answer(200 if ready else 503, b"Ready\n" if ready else _why_not(state))
            elif path == "/metrics":
                self._answer(200, metrics.text(), CONTENT_TYPE_LATEST)
            else:
                self._answer(404, b"Not found: this port has /live, /ready and /metrics\n")

        def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent about a prober that went away in the middle of an answer."""


def _why_not(state: State) -> bytes:
    if not state.ready:
        return b"Starting\n"
    return b"Draining\n" if state.draining else b"A call of run() has outlived the scoring timeout\n"
