"""Port 9090: /live, /ready and /metrics, answered independently of the script processes."""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools

from gpu_inference_runtime.front.exchanges import Exchanges
from gpu_inference_runtime.front.scripts import ScriptProcesses
from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.scoring.replica import Replica

_IDLE_SECONDS = 10.0
_MAX_HEAD_BYTES = 64 * 1024


class Management:
    """Answers probes and scrapes.

    Args:
        scripts: know whether they are ready.
        replica: knows whether a call is overdue.
        exchanges: know whether the server is draining.
        metrics: the content of `/metrics`.
    """

    def __init__(
        self, scripts: ScriptProcesses, replica: Replica, exchanges: Exchanges, metrics: Metrics
    ) -> None:
        self._scripts = scripts
        self._replica = replica
        self._exchanges = exchanges
        self._metrics = metrics

    def answer(self, path: str) -> tuple[int, bytes, str]:
        """Return status, body and content type of the response to GET."""
        if path == "/live":
            return _text(200, "Live")
        if path == "/ready":
            why_not = self._why_not_ready()
            return _text(503, why_not) if why_not else _text(200, "Ready")
        if path == "/metrics":
            return 200, *self._metrics.scrape()
        return _text(404, "Not found: this port has /live, /ready and /metrics")

    def protocol(self) -> "ManagementConnection":
        """Return the asyncio protocol of a new connection."""
        return ManagementConnection(self)

    def _why_not_ready(self) -> str:
        """Return why the server is not ready; an empty text if it is."""
        if not self._scripts.all_ready:
            return "Starting"
        if self._exchanges.draining:
            return "Draining"
        if self._replica.overdue:
            return "A call of run() has outlived the scoring timeout"
        return ""


class ManagementConnection(asyncio.Protocol):
    """Answers one request and closes the connection; probes and Prometheus need no more."""

    def __init__(self, management: Management) -> None:
        self._management = management
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._size = 0
        self._answered = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the request, for a limited time."""
        self._transport = transport
        self._timeout = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the base class's argument)
        """Stop waiting."""
        self._timeout.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse the bytes that have arrived."""
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._send(*_text(400, "Not HTTP"))
        if self._size > _MAX_HEAD_BYTES:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Store the request's target, or a piece of it."""
        self._target += url

    def on_headers_complete(self) -> None:
        """Response."""
        if self._parser.get_method() not in (b"GET", b"HEAD"):
            self._send(*_text(501, "Only GET is answered"))
            return
        path = self._target.partition(b"?")[0].decode("latin-1")
        if path == "/metrics":
            # A query of the GPU driver takes a while.
            loop = asyncio.get_running_loop()
            asking = loop.run_in_executor(None, partial(self._management.answer, path))
            asking.add_done_callback(lambda asked: self._send(*asked.result()))
        else:
            self._send(*self._management.answer(path))

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        if self._answered or self._transport.is_closing():
            return
        self._answered = True
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        without_body = self._parser.get_method() == b"HEAD"
        self._transport.write(head.encode() + (b"" if without_body else body))
        self._transport.close()


def _text(status: int, text: str) -> tuple[int, bytes, str]:
    return status, f"{text}\n".encode(), "text/plain; charset=utf-8"
