"""One client's connection: bytes to requests, answers to bytes, one after the other, with time limits."""

import asyncio
import logging
import os
import time
from collections import deque
from functools import cached_property
from typing import Any

import httptools

from gpu_inference_runtime.front.exchange import Exchange
from gpu_inference_runtime.front.exchanges import Exchanges
from gpu_inference_runtime.http import heads, malformed
from gpu_inference_runtime.http.malformed import Parsed
from gpu_inference_runtime.http.request_head import KnownHeads, RequestHead
from gpu_inference_script.messages import Answer
from gpu_inference_script.protocol import KIB, MIB

# How long a client may send nothing in the middle of a request, or take nothing of its answer, seconds.
STALL_SECONDS = 30.0
# Longer than most clients and proxies keep an idle connection, so that it is they who close it, seconds.
_KEEPALIVE_SECONDS = 75.0
# How long a request may wait for its turn after its client has said that it sends nothing more, seconds.
# docs/decisions.md 54
_HALF_CLOSED_SECONDS = 0.05
# How long, and for how many bytes, a client may go on sending after its last answer.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 * MIB
# The rest of a refused body is read up to this size, so that the connection can be kept.
# docs/decisions.md 52
_READ_ANYWAY_BYTES = 64 * KIB
# Heads of this size are looked at before they are complete: they may be too large already.
_LONG_HEAD_BYTES = 4 * KIB
_LONGEST_HEAD_BYTES = 2 * MIB
_STOPPED = "A client stopped in the middle of a request or of its answer: its connection is closed"
_END_OF_HEAD = b"\r\n\r\n"

log = logging.getLogger("gpu_inference")


class _SuspiciousError(Exception):
    """A head that gunicorn's parser may read otherwise than llhttp."""


class Connection(asyncio.BufferedProtocol):
    """Parses requests with llhttp and has them answered in order.

    Args:
        exchanges: what becomes of each request.
        buffer: where all connections receive; only one does at a time.
        known: heads that were read before, on any connection.
    """

    def __init__(self, exchanges: Exchanges, buffer: bytearray, known: KnownHeads) -> None:
        self.exchanges = exchanges
        self._known = known
        self.transport: Any = None
        self.write_paused = False
        self.closing = False
        self._client_has_ended = False
        self._buffer = buffer
        self._view = memoryview(buffer)
        self._parser: httptools.HttpRequestParser | None = None
        # Requests that have no complete answer yet, oldest first, and the one whose body is being received.
        self._queue: deque[Exchange] = deque()
        self._reading: Exchange | None = None
        # Whether llhttp waits for a request, and nothing odd has come before it.
        self._between = True
        # Bytes that are still to come of a body that llhttp does not see.
        self._left = 0
        # The memory for what is still to come of a large body.
        self._direct: memoryview | None = None
        # The present head: what llhttp has found so far, its bytes in earlier pieces, and where it begins and
        # ends in this piece.
        self._in_head = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._number_of_headers = 0
        self._earlier = b""
        self._chunk = 0
        self._begin: int | None = 0
        self._body_at: int | None = None
        # The head as gunicorn has read it, and whether gunicorn needs more of it to decide.
        self._parsed: Parsed | None = None
        self._undecided = False
        # What is answered after all requests before it, at the end of the connection.
        self._last_words: Answer | None = None
        self._paused_reading = False
        self._lingered = 0
        self.deadline = 0.0

    # The transport's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self.transport = transport
        self.deadline = time.monotonic() + STALL_SECONDS
        self.exchanges.connections.add(self)
        if self.exchanges.closed:
            transport.close()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  (the base class's argument)
        """Return where the next bytes go."""
        return self._view if self._direct is None else self._direct

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes that have arrived."""
        if self._between and not self._queue:
            end = self._buffer.find(_END_OF_HEAD, 0, nbytes) + 4
            head = self._known.get(bytes(self._view[:end]))
            if head is not None and nbytes - end <= (head.content_length or 0):
                self._received_known(head, end, nbytes)
                return
        if self.closing:
            self._linger(nbytes)
        elif self._direct is not None:
            self._received_directly(nbytes)
        elif self._left:
            self._received_rest(nbytes)
        else:
            self._received(nbytes)

    def eof_received(self) -> bool:
        """The client sends nothing more; return whether it may still get an answer."""
        self._client_has_ended = True
        if self.closing or not self._queue:
            return False
        if self._reading is not None:
            self.exchanges.incomplete(self._reading)
            return True
        # Perhaps only one direction was closed, by a client that waits for the answer. There is no telling it
        # from one that is gone: its request is still scored where its turn comes at once.
        asyncio.get_running_loop().call_later(_HALF_CLOSED_SECONDS, self._take_for_gone, list(self._queue))
        return True

    def _take_for_gone(self, waiting: list[Exchange]) -> None:
        for exchange in waiting:
            self.exchanges.hang_up(exchange)
        if self._queue and all(exchange.answered and not exchange.status for exchange in self._queue):
            # Nobody makes an answer for it any more.
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (likewise)
        """Forget all that belongs to the client."""
        self.exchanges.connections.discard(self)
        self.closing = True
        self._between = False
        self.transport = None
        for exchange in self._queue:
            self.exchanges.gone(exchange)
        self._queue.clear()
        self._direct = None
        self._reading = None

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is made."""
        self.write_paused = True
        self.deadline = time.monotonic() + STALL_SECONDS

    def resume_writing(self) -> None:
        """It has taken most of it."""
        self.write_paused = False
        if self._queue and not self.closing:
            self.exchanges.may_go_on(self._queue[0])

    # The client

    @property
    def client(self) -> tuple[str, int]:
        """Address and port of the client."""
        name, port, _, _ = self.peers.decode().split(" ")
        return name, int(port)

    @cached_property
    def peers(self) -> bytes:
        """The client's address and port, and the server's, each after a space."""
        transport = self.transport
        # A client that has gone away before it was accepted has none.
        client = transport.get_extra_info("peername") or ("", 0)
        server = transport.get_extra_info("sockname") or ("", 0)
        # Scripts know an IPv4 address without the prefix that it has on a socket for both kinds.
        names = [name.removeprefix("::ffff:") for name in (client[0], server[0])]
        return f"{names[0]} {client[1]} {names[1]} {server[1]}".encode()

    # Receiving

    def _received_known(self, head: RequestHead, end: int, size: int) -> None:
        """Take a request whose head came before, and as much of its body as there is; nothing follows it."""
        now = time.monotonic()
        self.deadline = now + STALL_SECONDS
        exchange = Exchange(self, head, now)
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
            # It was answered with the end of the connection.
            return
        if end < size:
            self.exchanges.received(exchange, bytes(self._view[end:size]))
        self._between = False
        self._left = left
        self._direct = self.exchanges.rest_of_body(exchange)

    def _received_rest(self, size: int) -> None:
        """Take more of a body that llhttp does not see."""
        assert self._reading is not None
        exchange, taken = self._reading, min(size, self._left)
        self.deadline = time.monotonic() + STALL_SECONDS
        self.exchanges.received(exchange, bytes(self._view[:taken]))
        if self._reading is not exchange:
            return
        self._left -= taken
        if self._left:
            self._direct = self.exchanges.rest_of_body(exchange)
            return
        self._between = True
        self._completed(exchange)
        if size > taken and not self.closing:
            # The next request. It is received as if it had come alone.
            self._view[: size - taken] = bytes(self._view[taken:size])
            self.buffer_updated(size - taken)

    def _received(self, size: int) -> None:
        if self._last_words is not None:
            return
        before, self._chunk = self._chunk, size
        if self._undecided:
            self._judge(self._earlier + bytes(self._view[:size]), None)
            return
        if self._reading is None:
            self.deadline = time.monotonic() + STALL_SECONDS
            if not self._in_head:
                self._begin = 0
                self._earlier = b""
            elif self._begin is not None:
                self._begin = 0
        elif self._body_at is not None:
            # It began in an earlier piece.
            self._body_at -= before
        try:
            if self._parser is None:
                self._parser = httptools.HttpRequestParser(self)
            self._parser.feed_data(self._view[:size])
        except httptools.HttpParserError as error:
            self._not_simple(error)
            return
        self._after_chunk()

    def _after_chunk(self) -> None:
        reading = self._reading
        if reading is not None:
            self.deadline = time.monotonic() + STALL_SECONDS
            self._direct = self.exchanges.rest_of_body(reading)
        elif self._in_head and self._begin is not None:
            had_line = b"\r\n" in self._earlier
            self._earlier += bytes(self._view[self._begin : self._chunk])
            # Its first line may already be none, which llhttp takes for an old version of HTTP.
            if len(self._earlier) > _LONG_HEAD_BYTES or (not had_line and b"\r\n" in self._earlier):
                self._look_at_incomplete_head()

    def _received_directly(self, size: int) -> None:
        assert self._direct is not None
        assert self._reading is not None
        rest = self._direct[size:]
        exchange = self._reading
        exchange.body_received += size
        self.deadline = time.monotonic() + STALL_SECONDS
        if rest:
            self._direct = rest
            return
        self._direct = None
        if not self._left:
            # llhttp still waits for this body.
            self._parser = None
            self._begin = None
        self._left = 0
        self._between = True
        self._completed(exchange)

    # llhttp's events

    def on_message_begin(self) -> None:
        """Begin with a request."""
        self._in_head = True
        self._between = False

    def on_url(self, url: bytes) -> None:
        """Take the request's target, or a piece of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        name = name.lower()
        if not self._in_head:
            # A trailer, behind a chunked body. None is part of the request.
            if name in malformed.FORBIDDEN_TRAILERS:
                raise _SuspiciousError
            return
        headers = self._headers
        self._number_of_headers += 1
        headers[name] = headers[name] + b"," + value if name in headers else value

    def on_headers_complete(self) -> None:
        """Have the request looked at, before its body."""
        if self.closing or self._last_words is not None:
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
        exchange = Exchange(self, head, time.monotonic())
        self._in_head = False
        self._forget_head()
        self._reading = exchange
        self._queue.append(exchange)
        if len(self._queue) == 1:
            self.exchanges.begin(exchange)
        elif not self._paused_reading:
            # One after the other. What has arrived already is kept.
            self._paused_reading = True
            self.transport.pause_reading()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
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
        self._between = True
        self._completed(exchange)

    def _completed(self, exchange: Exchange) -> None:
        self._reading = None
        exchange.complete = True
        if exchange is self._queue[0]:
            self.exchanges.completed(exchange)

    def _head_bytes(self) -> tuple[bytes, int | None]:
        """Return the head that has just ended, as it was sent, and where the body begins in this piece.

        Empty, and None, where it is not known where the head began.
        """
        begin, earlier = self._begin, self._earlier
        if begin is None:
            return b"", None
        if earlier:
            # The end of the head may lie in two pieces.
            joined = earlier + bytes(self._view[: self._chunk])
            end = joined.find(_END_OF_HEAD, max(0, len(earlier) - 3))
            return (joined[: end + 4], end + 4 - len(earlier)) if end >= 0 else (b"", None)
        end = self._buffer.find(_END_OF_HEAD, begin, self._chunk)
        return (bytes(self._view[begin : end + 4]), end + 4) if end >= 0 else (b"", None)

    def _forget_head(self) -> None:
        self._target, self._headers, self._number_of_headers, self._earlier = b"", {}, 0, b""

    # What llhttp does not decide

    def _not_simple(self, error: Exception) -> None:
        """Have gunicorn's parser decide about a request that llhttp refuses, or that looks odd."""
        if self.closing:
            return
        if self._reading is not None:
            # The framing of the body is broken.
            self.exchanges.incomplete(self._reading)
        elif self._begin is None:
            # Behind another request in the same piece.
            self._refuse(malformed.answer_to_unknown(), type(error).__name__)
        else:
            self._judge(self._earlier + bytes(self._view[self._begin : self._chunk]), error)

    def _judge(self, data: bytes, error: Exception | None) -> None:
        """Do with the bytes of a head, and of what follows it, what gunicorn would do."""
        verdict = malformed.classify(data)
        self._undecided = verdict is None and len(data) < _LONGEST_HEAD_BYTES
        if isinstance(verdict, Parsed):
            self._feed_sanitized(verdict, data[verdict.head_length :])
        elif self._undecided:
            self._earlier = data
        else:
            self._refuse(verdict or malformed.answer_to_unknown(), type(error).__name__)

    def _feed_sanitized(self, parsed: Parsed, rest: bytes) -> None:
        """Give llhttp the head as gunicorn has understood it, and what followed it."""
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
                self._refuse(malformed.answer_to_unknown(), type(error).__name__)
            return
        self._after_chunk()

    def _look_at_incomplete_head(self) -> None:
        verdict = malformed.classify(self._earlier)
        if isinstance(verdict, Answer):
            self._refuse(verdict, "in its incomplete head")
        elif len(self._earlier) > _LONGEST_HEAD_BYTES:
            self._refuse(malformed.answer_to_unknown(), "its head has no end")

    def _refuse(self, answer: Answer, reason: str) -> None:
        """Answer what is no request, after all requests before it, and end the connection."""
        log.warning("Refused with %d what is not proper HTTP: %s", answer.status, reason)
        self._between = False
        self._last_words = answer
        if not self._queue:
            self._say_last_words()

    def _say_last_words(self) -> None:
        assert self._last_words is not None
        self.write(heads.to_no_request(self._last_words))
        self.close()

    # Sending

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.transport is not None:
            self.transport.write(data)

    def write_large(self, head: bytes, body: memoryview) -> None:
        """Send a head and a body that is only good during this call."""
        transport = self.transport
        if transport is None:
            return
        sent = 0
        if not transport.get_write_buffer_size():
            try:
                # Past the transport, whose queue is empty: it would have to copy the body.
                sent = os.writev(transport.get_extra_info("socket").fileno(), (head, body))
            except BlockingIOError:
                sent = 0
            except OSError:
                # The transport notices by itself.
                return
        if sent < len(head):
            transport.write(head[sent:])
            sent = len(head)
        if sent - len(head) < len(body):
            transport.write(bytes(body[sent - len(head) :]))

    def answered(self, exchange: Exchange, close: bool, now: float) -> None:
        """The answer is complete: go on with the next request, or end the connection."""
        if self.transport is None:
            return
        if close:
            self.close()
        elif not exchange.complete:
            # Its rest is read and dropped.
            exchange.dropped = True
        else:
            self._next(exchange, now)

    def closes_for(self, exchange: Exchange) -> bool:
        """Whether the connection ends with the answer, because the rest of the body is not worth reading."""
        if exchange.complete:
            return False
        head = exchange.head
        if head.chunked:
            return True
        left = (head.content_length or 0) - exchange.body_received
        return left > _READ_ANYWAY_BYTES or (left > 0 and head.expects_continue)

    def dropped(self, exchange: Exchange) -> None:
        """The rest of a body that nobody wanted has arrived."""
        self._next(exchange, time.monotonic())

    def _next(self, exchange: Exchange, now: float) -> None:
        queue = self._queue
        if not queue or queue[0] is not exchange:
            return
        queue.popleft()
        self.deadline = now + _KEEPALIVE_SECONDS
        if queue:
            following = queue[0]
            self.exchanges.begin(following)
            if following.complete and queue and queue[0] is following:
                self.exchanges.completed(following)
        elif self._last_words is not None:
            self._say_last_words()
        elif self._client_has_ended:
            self.close()
        if self._paused_reading and len(queue) <= 1 and self.transport is not None:
            # Also in the middle of a request: its turn has come, and its rest is not there yet.
            self._paused_reading = False
            self.transport.resume_reading()

    # Ending

    def close(self) -> None:
        """End the connection: the client gets what was written, and an end instead of a reset."""
        if self.transport is None or self.closing:
            return
        self.closing = True
        self._between = False
        self._direct = None
        self.deadline = time.monotonic() + _LINGER_SECONDS
        for exchange in self._queue:
            self.exchanges.gone(exchange)
        self._queue.clear()
        self._reading = None
        if self._client_has_ended:
            self.transport.close()
            return
        self.transport.write_eof()
        if self._paused_reading:
            self._paused_reading = False
            self.transport.resume_reading()

    def close_if_idle(self) -> None:
        """End the connection unless a request is in hand."""
        if not self._queue and not self.closing and self.transport is not None:
            self.close()

    def _linger(self, size: int) -> None:
        self._lingered += size
        if self._lingered > _LINGER_BYTES and self.transport is not None:
            self.transport.abort()

    def check(self, now: float) -> None:
        """Do what is due; called about once a second."""
        if now < self.deadline or self.transport is None:
            return
        if self.closing:
            # Whoever is slow to take the answer gets the time for it.
            if self.transport.get_write_buffer_size() and now < self.deadline + STALL_SECONDS:
                return
            self.transport.abort()
        elif self.write_paused:
            log.info(_STOPPED)
            self.transport.abort()
        elif self._reading is not None:
            self.exchanges.incomplete(self._reading)
        elif not self._queue:
            if self._in_head:
                log.info(_STOPPED)
            self.close()
