"""Sends responses, and counts and logs them."""

import asyncio
import logging
import time

from gpu_inference_runtime.front.exchange import Exchange
from gpu_inference_runtime.front.scripts import ScriptProcesses
from gpu_inference_runtime.http import cors, response_head
from gpu_inference_runtime.http.refusals import RefusedError
from gpu_inference_runtime.http.routing import Kind
from gpu_inference_runtime.observability.access_log import AccessLog
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.settings import Settings
from gpu_inference_script import protocol
from gpu_inference_script.logs import request_id_of_log_lines
from gpu_inference_script.protocol import KIB
from gpu_inference_script.response import Response

# From this size on, bodies are not copied if that can be avoided.
LARGE_BYTES = 64 * KIB
_NO_BODY = frozenset({204, 304})

log = logging.getLogger("gpu_inference")


class Sender:
    """Sends the responses of a server: the script's, and the server's own. Runs on the event loop's thread.

    Args:
        settings: the server's settings.
        scripts: the script processes.
        counts: where requests are counted.
        loop: the event loop.
    """

    def __init__(
        self, settings: Settings, scripts: ScriptProcesses, counts: Counts, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.draining = False
        self._settings = settings
        self._scripts = scripts
        self._counts = counts
        self._access_log = AccessLog(loop)
        self._cors_enabled = bool(settings.cors_origins)

    def send_script_response(
        self, exchange: Exchange, status: int, flags: int, head: bytes, body: memoryview | bytes
    ) -> None:
        """Send the script's response. The body's memory is only valid during this call."""
        length = len(body)
        if flags & protocol.REFUSED:
            self._counts.refused("body")
        close = bool(flags & protocol.CLOSE) or not exchange.keeps or self.draining
        start = self._script_head(exchange, status, flags, head, close)
        exchange.status, exchange.length = status, length
        connection = exchange.connection
        if exchange.head.method == b"HEAD" or status in _NO_BODY:
            ending = b"\r\n" if status in _NO_BODY else b"Content-Length: %d\r\n\r\n" % length
            connection.write(start + ending)
        elif length < LARGE_BYTES:
            connection.write(b"".join((start, b"Content-Length: %d\r\n\r\n" % length, body)))
        else:
            connection.write_large(start + b"Content-Length: %d\r\n\r\n" % length, memoryview(body))
        self._finish(exchange, close)

    def _script_head(self, exchange: Exchange, status: int, flags: int, head: bytes, close: bool) -> bytes:
        reason = None
        if flags & protocol.HAS_REASON:
            words, _, head = head.partition(b"\r\n")
            reason = str(words, "latin-1")
        start = response_head.start(status, reason, not close, exchange.head.version)
        if self._cors_enabled and b"access-control-allow-origin:" not in head.lower():
            head += self._cors(exchange)
        return b"%b%b%b" % (start, head, exchange.ids.lines)

    def begin_stream(
        self, exchange: Exchange, status: int, flags: int, head: bytes, part: bytes, length: int | None
    ) -> None:
        """Send the head and the first part of a streamed response."""
        # For HTTP 1.0, a body of unknown length ends with the connection.
        exchange.stream_chunked = length is None and exchange.head.version == "1.1"
        exchange.keeps = exchange.keeps and (length is not None or exchange.stream_chunked)
        close = bool(flags & protocol.CLOSE) or not exchange.keeps or self.draining
        exchange.keeps = not close
        start = self._script_head(exchange, status, flags, head, close)
        without_body = exchange.head.method == b"HEAD" or status in _NO_BODY
        ending = b"" if length is None else b"Content-Length: %d\r\n" % length
        if exchange.stream_chunked and not without_body:
            ending = b"Transfer-Encoding: chunked\r\n"
        exchange.connection.write(b"".join((start, ending, b"\r\n")))
        exchange.status = status
        if without_body:
            self._scripts.close_stream(exchange)
            self._finish(exchange, close)
            return
        exchange.length = length
        self.send_part(exchange, part)

    def send_part(self, exchange: Exchange, part: bytes) -> None:
        """Send a part of a streamed response, and request the next one unless the client is slow."""
        if exchange.finished:
            self._scripts.close_stream(exchange)
            return
        if exchange.length is not None:
            part = part[: exchange.length - exchange.sent_bytes]
        exchange.sent_bytes += len(part)
        if part:
            exchange.connection.write(
                b"%x\r\n%b\r\n" % (len(part), part) if exchange.stream_chunked else part
            )
        if exchange.connection.write_paused:
            exchange.stream_waits = True
        else:
            self._scripts.next_part(exchange)

    def resume_stream(self, exchange: Exchange) -> None:
        """The client has read what was sent: request the next part."""
        if exchange.stream_waits:
            exchange.stream_waits = False
            self._scripts.next_part(exchange)

    def end_stream(self, exchange: Exchange, whole: bool) -> None:
        """End a streamed response, complete or not."""
        if exchange.finished:
            return
        if not whole:
            self._break_off(exchange)
            return
        if exchange.stream_chunked:
            exchange.connection.write(b"0\r\n\r\n")
        close = not exchange.keeps or self.draining
        if exchange.length is not None and exchange.sent_bytes < exchange.length:
            log.warning("A response was shorter than its Content-Length: the connection is closed")
            close = True
        self._finish(exchange, close)

    def _break_off(self, exchange: Exchange) -> None:
        """Close the connection without ending the body: HTTP has no other way to report the failure."""
        with request_id_of_log_lines(exchange.ids.request_id):
            log.error("A streamed response of run() broke off")
        self._finish(exchange, close=True)

    def _refuse(self, exchange: Exchange, refused: RefusedError, *, counts_reason: bool = True) -> None:
        if counts_reason and exchange.head.kind is Kind.SCORE:
            self._counts.refused(refused.reason)
        exchange.answered = True
        self._respond(exchange, refused.response)

    def _respond(self, exchange: Exchange, response: Response) -> None:
        """Send one of the server's own responses."""
        if exchange.finished:
            return
        body = response.body
        assert isinstance(body, bytes)
        close = (
            response.close or not exchange.keeps or self.draining or exchange.connection.closes_for(exchange)
        )
        more = exchange.ids.lines + self._cors(exchange)
        data = response_head.build(
            response.status,
            response.reason,
            response.headers,
            response.content_type,
            len(body),
            not close,
            more,
            exchange.head.version,
        )
        exchange.status, exchange.length = response.status, len(body)
        exchange.connection.write(data if exchange.head.method == b"HEAD" else data + body)
        self._finish(exchange, close)

    def _cors(self, exchange: Exchange) -> bytes:
        if not self._cors_enabled:
            return b""
        pairs = cors.headers(self._settings.cors_origins, exchange.head.headers, exchange.head.method)
        return "".join(f"{name}: {value}\r\n" for name, value in pairs).encode("latin-1")

    def _finish(self, exchange: Exchange, close: bool, *, logs: bool = True) -> None:
        """The response is complete: count it, log it, and continue with the connection."""
        exchange.finished = True
        now = time.monotonic()
        seconds = now - exchange.began
        # A request without ids was answered before it was known to be for the script.
        if exchange.status and exchange.ids.lines and exchange.head.kind is Kind.SCORE:
            self._counts.answered(exchange.status, seconds)
        if exchange.trace is not None:
            exchange.trace.end(exchange.status)
        if logs:
            request_id = exchange.ids.request_id
            self._access_log.write(exchange.head, exchange.status, seconds, exchange.length, request_id)
        self._free_unsent(exchange)
        exchange.connection.answered(exchange, close, now)

    def _free_unsent(self, exchange: Exchange) -> None:
        """Free the block of a request that was never submitted; `ScriptProcesses` frees the others."""
        if exchange.block is not None and not exchange.number:
            self._scripts.inbox.free(exchange.block)
            exchange.block = None

    def flush_log(self) -> None:
        """Write the access log lines that wait."""
        self._access_log.flush()
