"""Receives one client's requests: llhttp parses them, and gunicorn's parser decides about odd ones."""

import asyncio
import logging
import time
from collections import deque
from typing import Any

import httptools

from gpu_inference_runtime.front.exchange import Exchange
from gpu_inference_runtime.front.exchanges import Exchanges
from gpu_inference_runtime.http import malformed
from gpu_inference_runtime.http.malformed import Parsed
from gpu_inference_runtime.http.request_head import KnownHeads, RequestHead
from gpu_inference_script.protocol import KIB, MIB
from gpu_inference_script.response import Response

# How long a client may send nothing in the middle of a request, or read nothing of its response.
STALL_SECONDS = 30.0
# Heads of this size are checked before they are complete: they may already be too large.
_LONG_HEAD_BYTES = 4 * KIB
_MAX_HEAD_BYTES = 2 * MIB
_END_OF_HEAD = b"\r\n\r\n"

log = logging.getLogger("gpu_inference")


class _SuspiciousError(Exception):
    """gunicorn's parser may read a head differently from llhttp."""


class Receiver(asyncio.BufferedProtocol):
    """Parses requests and passes them on in order. The base class of `Connection`.

    Args:
        exchanges: handles each request.
        buffer: the receive buffer of all connections; only one uses it at a time.
        known: heads that were read before, on any connection.
    """

    def __init__(self, exchanges: Exchanges, buffer: bytearray, known: KnownHeads) -> None:
        self.exchanges = exchanges
        self._known = known
        self.transport: Any = None
        self.closing = False
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._parser: httptools.HttpRequestParser | None = None
        # Requests without a complete response, oldest first, and the one whose body is being received.
        self._queue: deque[Exchange] = deque()
        self._reading: Exchange | None = None
        # Whether llhttp is between two requests, and nothing odd came before.
        self._between_requests = True
        # Bytes still to come of a body that llhttp does not see.
        self._body_left = 0
        # Memory for the rest of a large body.
        self._body_memory: memoryview | None = None
        # The current head: what llhttp has parsed so far, its bytes in earlier chunks, and where it begins
        # and ends in this chunk.
        self._in_head = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._number_of_headers = 0
        self._earlier_bytes = b""
        self._chunk = 0
        self._begin: int | None = 0
        self._body_at: int | None = None
        # The head as gunicorn read it, and whether gunicorn needs more of it to decide.
        self._parsed: Parsed | None = None
        self._undecided = False
        # The response to a malformed request. It is sent after all others and closes the connection.
        self._final_response: Response | None = None
        self._paused_reading = False
        self.deadline = 0.0

    # The transport's events

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  (the base class's argument)
        """Return where the next bytes go."""
        return self._view if self._body_memory is None else self._body_memory

    def buffer_updated(self, nbytes: int) -> None:
        """Handle bytes that have arrived."""
        if self._between_requests and not self._queue:
            end = self._buffer.find(_END_OF_HEAD, 0, nbytes) + 4
            head = self._known.get(bytes(self._view[:end]))
            if head is not None and nbytes - end <= (head.content_length or 0):
                self._received_known(head, end, nbytes)
                return
        if self.closing:
            self._linger(nbytes)
        elif self._body_memory is not None:
            self._received_directly(nbytes)
        elif self._body_left:
            self._received_rest(nbytes)
        else:
            self._received(nbytes)

    # Receiving

    def _received_known(self, head: RequestHead, end: int, size: int) -> None:
        """Handle a request with a known head, and as much of its body as has arrived; nothing follows it."""
        now = time.monotonic()
        self.deadline = now + STALL_SECONDS
        exchange = Exchange(self, head, now)  # type: ignore[arg-type]  # it is a Connection
        left = (head.content_length or 0) - (size - end)
        self._queue.append(exchange)
        if not left:
            exchange.complete = True
            self.exchanges.begin(exchange)
            if not exchange.finished:
                self.exchanges.received(exchange, bytes(self._view[end:size]))
                self.exchanges.completed(exchange)
            return
        self._reading = exchange
        self.exchanges.begin(exchange)
        if self._reading is not exchange:
            # The request was answered, and the connection closed.
            return
        if end < size:
            self.exchanges.received(exchange, bytes(self._view[end:size]))
        self._between_requests = False
        self._body_left = left
        self._body_memory = self.exchanges.rest_of_body(exchange)

    def _received_rest(self, size: int) -> None:
        """Handle more of a body that llhttp does not see."""
        assert self._reading is not None
        exchange, taken = self._reading, min(size, self._body_left)
        self.deadline = time.monotonic() + STALL_SECONDS
        self.exchanges.received(exchange, bytes(self._view[:taken]))
        if self._reading is not exchange:
            return
        self._body_left -= taken
        if self._body_left:
            self._body_memory = self.exchanges.rest_of_body(exchange)
            return
        self._between_requests = True
        self._completed(exchange)
        if size > taken and not self.closing:
            # Handle the next request as if it had arrived alone.
            self._view[: size - taken] = bytes(self._view[taken:size])
            self.buffer_updated(size - taken)

    def _received(self, size: int) -> None:
        if self._final_response is not None:
            return
        before, self._chunk = self._chunk, size
        if self._undecided:
            self._reparse(self._earlier_bytes + bytes(self._view[:size]), None)
            return
        if self._reading is None:
            self.deadline = time.monotonic() + STALL_SECONDS
            if not self._in_head:
                self._begin = 0
                self._earlier_bytes = b""
            elif self._begin is not None:
                self._begin = 0
        elif self._body_at is not None:
            # The body began in an earlier chunk.
            self._body_at -= before
        try:
            if self._parser is None:
                self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(self._view[:size])
        except httptools.HttpParserError as error:
            self._handle_parser_error(error)
            return
        self._after_chunk()

    def _after_chunk(self) -> None:
        reading = self._reading
        if reading is not None:
            self.deadline = time.monotonic() + STALL_SECONDS
            self._body_memory = self.exchanges.rest_of_body(reading)
        elif self._in_head and self._begin is not None:
            had_line = b"\r\n" in self._earlier_bytes
            self._earlier_bytes += bytes(self._view[self._begin : self._chunk])
            # Check the first line early: llhttp takes a malformed one for an old HTTP version.
            if len(self._earlier_bytes) > _LONG_HEAD_BYTES or (
                not had_line and b"\r\n" in self._earlier_bytes
            ):
                self._check_incomplete_head()

    def _received_directly(self, size: int) -> None:
        assert self._body_memory is not None
        assert self._reading is not None
        rest = self._body_memory[size:]
        exchange = self._reading
        exchange.body_received += size
        self.deadline = time.monotonic() + STALL_SECONDS
        if rest:
            self._body_memory = rest
            return
        self._body_memory = None
        if not self._body_left:
            # llhttp would still wait for this body.
            self._parser = None
            self._begin = None
        self._body_left = 0
        self._between_requests = True
        self._completed(exchange)

    # llhttp's events

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._between_requests = False

    def on_url(self, url: bytes) -> None:
        """Store the request's target, or a piece of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header."""
        name = name.lower()
        if not self._in_head:
            # A trailer after a chunked body. Trailers are not part of the request.
            if name in malformed.FORBIDDEN_TRAILERS:
                raise _SuspiciousError
            return
        headers = self._headers
        self._number_of_headers += 1
        headers[name] = headers[name] + b"," + value if name in headers else value

    def on_headers_complete(self) -> None:
        """Pass the request on, before its body."""
        if self.closing or self._final_response is not None:
            return
        parsed = self._parsed
        if parsed is not None:
            self._parsed = None
            head = RequestHead(
                *(parsed.method, parsed.target, parsed.headers, parsed.version, parsed.keeps, parsed.head())
            )
            self._body_at = None
        else:
            parser, target, headers = self._parser, self._target, self._headers
            assert parser is not None
            method, version = parser.get_method(), parser.get_http_version()
            raw, self._body_at = self._head_bytes()
            if malformed.suspicious(method, target, headers, self._number_of_headers, version, raw):
                raise _SuspiciousError
            head = RequestHead(method, target, headers, version, parser.should_keep_alive(), raw)
            self._known.add(head)
        exchange = Exchange(self, head, time.monotonic())  # type: ignore[arg-type]  # likewise
        self._in_head = False
        self._forget_head()
        self._reading = exchange
        self._queue.append(exchange)
        if len(self._queue) == 1:
            self.exchanges.begin(exchange)
        elif not self._paused_reading:
            # Requests are handled one after the other. Keep what has arrived.
            self._paused_reading = True
            self.transport.pause_reading()

    def on_body(self, data: bytes) -> None:
        """Handle a piece of the body."""
        exchange = self._reading
        if exchange is not None:
            self.exchanges.received(exchange, data)

    def on_message_complete(self) -> None:
        """The request is complete."""
        exchange = self._reading
        if exchange is None:
            return
        if self._body_at is None or exchange.head.chunked:
            self._begin = None
        else:
            self._begin = self._body_at + (exchange.head.content_length or 0)
        self._between_requests = True
        self._completed(exchange)

    def _completed(self, exchange: Exchange) -> None:
        self._reading = None
        exchange.complete = True
        if exchange is self._queue[0]:
            self.exchanges.completed(exchange)

    def _head_bytes(self) -> tuple[bytes, int | None]:
        """Return the head that just ended, as sent, and where the body begins in this chunk.

        They are empty and None if it is unknown where the head began.
        """
        begin, earlier = self._begin, self._earlier_bytes
        if begin is None:
            return b"", None
        if earlier:
            # The end of the head may be split over two chunks.
            joined = earlier + bytes(self._view[: self._chunk])
            end = joined.find(_END_OF_HEAD, max(0, len(earlier) - 3))
            return (joined[: end + 4], end + 4 - len(earlier)) if end >= 0 else (b"", None)
        end = self._buffer.find(_END_OF_HEAD, begin, self._chunk)
        return (bytes(self._view[begin : end + 4]), end + 4) if end >= 0 else (b"", None)

    def _forget_head(self) -> None:
        self._target, self._headers, self._number_of_headers, self._earlier_bytes = b"", {}, 0, b""

    # What llhttp does not decide

    def _handle_parser_error(self, error: Exception) -> None:
        """Let gunicorn's parser decide about a request that llhttp refuses, or that looks odd."""
        if self.closing:
            return
        if self._reading is not None:
            # The body's framing is broken.
            self.exchanges.incomplete(self._reading)
        elif self._begin is None:
            # It follows another request in the same chunk.
            self._refuse(malformed.unreadable_response(), type(error).__name__)
        else:
            self._reparse(self._earlier_bytes + bytes(self._view[self._begin : self._chunk]), error)

    def _reparse(self, data: bytes, error: Exception | None) -> None:
        """Treat the bytes of a head, and what follows it, as gunicorn would."""
        verdict = malformed.classify(data)
        self._undecided = verdict is None and len(data) < _MAX_HEAD_BYTES
        if isinstance(verdict, Parsed):
            self._feed_sanitized(verdict, data[verdict.head_length :])
        elif self._undecided:
            self._earlier_bytes = data
        else:
            self._refuse(verdict or malformed.unreadable_response(), type(error).__name__)

    def _feed_sanitized(self, parsed: Parsed, rest: bytes) -> None:
        """Feed llhttp the head as gunicorn read it, and what follows it."""
        self._parser = httptools.HttpRequestParser(self)
        self._forget_head()
        self._parsed = parsed
        self._begin = None
        try:
            self._parser.feed_data(parsed.sanitized() + rest)
        except httptools.HttpParserError as error:
            if self._reading is not None:
                self.exchanges.incomplete(self._reading)
            else:
                self._refuse(malformed.unreadable_response(), type(error).__name__)
            return
        self._after_chunk()

    def _check_incomplete_head(self) -> None:
        verdict = malformed.classify(self._earlier_bytes)
        if isinstance(verdict, Response):
            self._refuse(verdict, "in its incomplete head")
        elif len(self._earlier_bytes) > _MAX_HEAD_BYTES:
            self._refuse(malformed.unreadable_response(), "its head has no end")

    def _refuse(self, response: Response, reason: str) -> None:
        """Respond to a malformed request after all requests before it, and close the connection."""
        log.warning("Refused a malformed request with %d: %s", response.status, reason)
        self._between_requests = False
        self._final_response = response
        if not self._queue:
            self._send_final_response()

    # The rest of the connection

    def close(self) -> None:
        """Close the connection."""
        raise NotImplementedError

    def _send_final_response(self) -> None:
        """Send the response to a malformed request, and close the connection."""
        raise NotImplementedError

    def _linger(self, size: int) -> None:
        """Drop bytes that arrive after the last response."""
        raise NotImplementedError
