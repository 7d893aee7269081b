"""One client's connection: it answers requests one after the other, with time limits."""

import asyncio
import logging
import os
import time
from functools import cached_property

from gpu_inference_runtime.front.exchange import Exchange
from gpu_inference_runtime.front.exchanges import Exchanges
from gpu_inference_runtime.front.receiving import STALL_SECONDS, Receiver
from gpu_inference_runtime.http import response_head
from gpu_inference_runtime.http.request_head import KnownHeads
from gpu_inference_script.protocol import KIB, MIB

# Longer than most clients and proxies keep idle connections, so that they close them first.
_KEEPALIVE_SECONDS = 75.0
# How long a request may wait for its turn after its client has closed its side of the connection.
# docs/decisions.md 54
_HALF_CLOSED_SECONDS = 0.05
# How long, and how many bytes, a client may keep sending after its last response.
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 256 * MIB
# The rest of a refused body is read up to this size, so that the connection can stay open.
# docs/decisions.md 52
_READ_ANYWAY_BYTES = 64 * KIB
_STALLED = "A client stopped in the middle of a request or a response: its connection is closed"

log = logging.getLogger("gpu_inference")


class Connection(Receiver):
    """Receives requests and sends their responses in order. asyncio calls its methods.

    Args:
        exchanges: handles each request.
        buffer: the receive buffer of all connections; only one uses it at a time.
        known: heads that were read before, on any connection.
    """

    def __init__(self, exchanges: Exchanges, buffer: bytearray, known: KnownHeads) -> None:
        super().__init__(exchanges, buffer, known)
        self.write_paused = False
        self._client_has_ended = False
        self._lingered = 0

    # The transport's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        self.transport = transport
        self.deadline = time.monotonic() + STALL_SECONDS
        self.exchanges.connections.add(self)
        if self.exchanges.closed:
            transport.close()

    def eof_received(self) -> bool:
        """The client has closed its side; return whether it may still get a response."""
        self._client_has_ended = True
        if self.closing or not self._queue:
            return False
        if self._reading is not None:
            self.exchanges.incomplete(self._reading)
            return True
        # The client may still wait for its response, or may be gone: the two look the same. Its request is
        # only scored if its turn comes at once.
        asyncio.get_running_loop().call_later(_HALF_CLOSED_SECONDS, self._treat_as_gone, list(self._queue))
        return True

    def _treat_as_gone(self, waiting: list[Exchange]) -> None:
        for exchange in waiting:
            self.exchanges.hang_up(exchange)
        if self._queue and all(exchange.answered and not exchange.status for exchange in self._queue):
            # No response will be made any more.
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (likewise)
        """Drop everything that belongs to the client."""
        self.exchanges.connections.discard(self)
        self.closing = True
        self._between_requests = False
        self.transport = None
        for exchange in self._queue:
            self.exchanges.gone(exchange)
        self._queue.clear()
        self._body_memory = None
        self._reading = None

    def pause_writing(self) -> None:
        """The client reads its response more slowly than it is made."""
        self.write_paused = True
        self.deadline = time.monotonic() + STALL_SECONDS

    def resume_writing(self) -> None:
        """The client has read most of what was sent."""
        self.write_paused = False
        if self._queue and not self.closing:
            self.exchanges.resume_stream(self._queue[0])

    # The client

    @property
    def client(self) -> tuple[str, int]:
        """Address and port of the client."""
        name, port, _, _ = self.peers.decode().split(" ")
        return name, int(port)

    @cached_property
    def peers(self) -> bytes:
        """The client's address and port, and the server's, separated by spaces."""
        transport = self.transport
        # A client that disconnected before it was accepted has no address.
        client = transport.get_extra_info("peername") or ("", 0)
        server = transport.get_extra_info("sockname") or ("", 0)
        # Scripts expect IPv4 addresses without the prefix that they have on a dual-stack socket.
        names = [name.removeprefix("::ffff:") for name in (client[0], server[0])]
        return f"{names[0]} {client[1]} {names[1]} {server[1]}".encode()

    # Sending

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self.transport is not None:
            self.transport.write(data)

    def write_large(self, head: bytes, body: memoryview) -> None:
        """Send a head and a body; the body's memory is only valid during this call."""
        transport = self.transport
        if transport is None:
            return
        sent = 0
        if not transport.get_write_buffer_size():
            try:
                # Bypass the transport, whose queue is empty: it would copy the body.
                sent = os.writev(transport.get_extra_info("socket").fileno(), (head, body))
            except BlockingIOError:
                sent = 0
            except OSError:
                # The transport will notice the error itself.
                return
        if sent < len(head):
            transport.write(head[sent:])
            sent = len(head)
        if sent - len(head) < len(body):
            transport.write(bytes(body[sent - len(head) :]))

    def answered(self, exchange: Exchange, close: bool, now: float) -> None:
        """The response is complete: continue with the next request, or close the connection."""
        if self.transport is None:
            return
        if close:
            self.close()
        elif not exchange.complete:
            # The rest of the body is read and dropped.
            exchange.dropped = True
        else:
            self._next(exchange, now)

    def closes_for(self, exchange: Exchange) -> bool:
        """Return whether to close the connection after the response, because too much of the body is left."""
        if exchange.complete:
            return False
        head = exchange.head
        if head.chunked:
            return True
        left = (head.content_length or 0) - exchange.body_received
        return left > _READ_ANYWAY_BYTES or (left > 0 and head.expects_continue)

    def dropped(self, exchange: Exchange) -> None:
        """The rest of a dropped body has arrived."""
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
        elif self._final_response is not None:
            self._send_final_response()
        elif self._client_has_ended:
            self.close()
        if self._paused_reading and len(queue) <= 1 and self.transport is not None:
            # Also if the next request, whose turn has come, is still incomplete.
            self._paused_reading = False
            self.transport.resume_reading()

    def _send_final_response(self) -> None:
        assert self._final_response is not None
        self.write(response_head.malformed_request_response(self._final_response))
        self.close()

    # Ending

    def close(self) -> None:
        """Close the connection so that the client gets what was written, and an orderly end, not a reset."""
        if self.transport is None or self.closing:
            return
        self.closing = True
        self._between_requests = False
        self._body_memory = None
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
        """Close the connection unless a request is being handled."""
        if not self._queue and not self.closing and self.transport is not None:
            self.close()

    def _linger(self, size: int) -> None:
        self._lingered += size
        if self._lingered > _LINGER_BYTES and self.transport is not None:
            self.transport.abort()

    def check(self, now: float) -> None:
        """Enforce the deadline; called about once a second."""
        if now < self.deadline or self.transport is None:
            return
        if self.closing:
            # A slow client gets more time to read its response.
            if self.transport.get_write_buffer_size() and now < self.deadline + STALL_SECONDS:
                return
            self.transport.abort()
        elif self.write_paused:
            log.info(_STALLED)
            self.transport.abort()
        elif self._reading is not None:
            self.exchanges.incomplete(self._reading)
        elif not self._queue:
            if self._in_head:
                log.info(_STALLED)
            self.close()
