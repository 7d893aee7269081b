"""Handles each request: routing, access, the body, and what is answered without the script."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gpu_inference_runtime.access.authorization import Access
from gpu_inference_runtime.front.exchange import Exchange
from gpu_inference_runtime.front.scripts import ScriptProcesses
from gpu_inference_runtime.front.sending import LARGE_BYTES, Sender
from gpu_inference_runtime.http import refusals
from gpu_inference_runtime.http.refusals import RefusedError
from gpu_inference_runtime.http.request_head import RequestHead
from gpu_inference_runtime.http.request_ids import IdMaker
from gpu_inference_runtime.http.routing import Kind, Routes
from gpu_inference_runtime.observability.traces import Traces
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.replica import NOT_READY, OVERLOADED, Replica
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web.pages import Pages
from gpu_inference_script import scoring
from gpu_inference_script.logs import request_id_of_log_lines
from gpu_inference_script.openapi import Documents
from gpu_inference_script.protocol import BLOCK_SIZE
from gpu_inference_script.response import RUN_FAILED, Response, error_response

if TYPE_CHECKING:
    from gpu_inference_runtime.front.connection import Connection

_HTML = "text/html; charset=utf-8"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

log = logging.getLogger("gpu_inference")


class Exchanges(Sender):
    """Handles all requests of a server. Runs on the event loop's thread.

    Args:
        settings: the server's settings.
        scripts: the script processes.
        replica: admits scoring requests.
        counts: where requests are counted.
        traces: makes their traces; None if traces are off.
        loop: the event loop.
    """

    def __init__(
        self,
        settings: Settings,
        scripts: ScriptProcesses,
        replica: Replica,
        counts: Counts,
        traces: Traces | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(settings, scripts, counts, loop)
        self.connections: set[Connection] = set()
        # Whether new connections are closed at once.
        self.closed = False
        self._azureml = settings.front_end == "azureml"
        self._replica = replica
        self._traces = traces
        self._loop = loop
        self._access = Access(settings)
        self._routes = Routes(settings)
        self._ids = IdMaker(settings.sends_server_version)
        self._pages = Pages(settings, self._access.refusal)
        self._limit = settings.body_limit
        name = settings.service_name
        self._refusals = {NOT_READY: refusals.not_ready(name), OVERLOADED: refusals.overloaded(name)}
        # Requests for the specification wait for init(), like scoring requests.
        self._waiting_for_specification: list[Exchange] = []

    # A request arrives

    def begin(self, exchange: Exchange) -> None:
        """Handle a request whose head has arrived: answer it, or prepare for its body."""
        head = exchange.head
        if head.route is None:
            head.route = self._routes.resolve(head.target)
            head.refused = self._routes.refusal(head.route, head.method, head.headers)
        kind = head.route.kind
        if head.refused is not None:
            self._respond(exchange, head.refused)
            return
        if kind is Kind.PAGES:
            self._prepare_body(exchange)
            return
        exchange.ids = ids = self._ids.for_request(head.headers) if head.is_unique else self._ids.new()
        if ids.refused is not None:
            self._refuse(exchange, RefusedError("id", ids.refused), counts_reason=False)
        elif kind is Kind.SCORE:
            self._begin_scoring(exchange)
        elif head.method == b"OPTIONS":
            self._respond(exchange, Response(200, b"", (("Allow", head.route.allow),), _HTML))
        elif kind is Kind.HEALTH:
            ready = self._scripts.any_ready
            self._respond(
                exchange, Response(200 if ready else 503, b"Healthy" if ready else b"Starting", (), _HTML)
            )
        else:
            self._check_access(exchange, self._send_specification)

    def _begin_scoring(self, exchange: Exchange) -> None:
        if self._traces is not None:
            head = exchange.head
            exchange.trace = self._traces.begin(head.method, head.headers, exchange.ids.request_id)
        method = exchange.head.method_name
        if method == "OPTIONS" and not self._script_wants_options(exchange):
            self._respond(exchange, Response(200, b"", ((RUN_FAILED, "False"),), _HTML))
        elif method not in self._scripts.methods:
            self._refuse(exchange, refusals.method_not_allowed())
        elif self._access.is_free:
            self._admit(exchange)
        else:
            self._check_access(exchange, self._admit)

    def _check_access(self, exchange: Exchange, then: Callable[[Exchange], None]) -> None:
        """Continue with a request that has a valid key or token, and refuse any other."""
        if self._access.may_wait:
            # The check may have to fetch the issuer's keys.
            exchange.pending = True
            checking = self._loop.run_in_executor(None, self._check_token, exchange)
            checking.add_done_callback(partial(self._access_checked, exchange, then))
            return
        refused = self._access.refusal(exchange.head.headers)
        if refused is not None:
            self._refuse(exchange, refused)
        else:
            then(exchange)

    def _check_token(self, exchange: Exchange) -> RefusedError | None:
        """Return the refusal of a request, None if it may pass; runs on a thread of the pool."""
        with request_id_of_log_lines(exchange.ids.request_id):
            return self._access.refusal(exchange.head.headers)

    def _access_checked(
        self,
        exchange: Exchange,
        then: Callable[[Exchange], None],
        checking: "asyncio.Future[RefusedError | None]",
    ) -> None:
        exchange.pending = False
        if exchange.connection.transport is None or exchange.finished:
            return
        if error := checking.exception():
            log.error("The server itself failed", exc_info=error)
            self._respond(exchange, _internal_error())
        elif refused := checking.result():
            self._refuse(exchange, refused)
        else:
            then(exchange)
            if exchange.complete and not exchange.finished:
                self.completed(exchange)

    def _admit(self, exchange: Exchange) -> None:
        """Prepare for the body of a request, unless the request would be refused anyway."""
        length = exchange.head.content_length
        if self._limit is not None and length is not None and length > self._limit:
            self._refuse(exchange, refusals.body_too_large(self._limit))
        elif reason := self._replica.refusal():
            self._refuse(exchange, self._refusals[reason])
        else:
            self._prepare_body(exchange)

    def _prepare_body(self, exchange: Exchange) -> None:
        head = exchange.head
        if head.expects_continue and not exchange.complete:
            exchange.connection.write(_CONTINUE)
        length = head.content_length
        if length is not None and length >= LARGE_BYTES and head.kind is Kind.SCORE:
            # Start with what arrived during the access check.
            body, exchange.body = exchange.body, b""
            self._write_block(exchange, body, length)

    def _script_wants_options(self, exchange: Exchange) -> bool:
        """Return whether `run()` gets this OPTIONS request: in v1, `@rawhttp` scripts get every request.

        With `azureml`, a browser's preflight request is answered without `run()` if CORS is on: it cannot
        carry a key. Other OPTIONS requests reach `run()` only with a valid key.
        """
        if "OPTIONS" not in self._scripts.methods:
            return False
        if not self._azureml:
            return True
        preflight = b"access-control-request-method" in exchange.head.headers
        return not (preflight and self._cors_enabled) and self._access.refusal(exchange.head.headers) is None

    # Its body arrives

    def received(self, exchange: Exchange, data: bytes) -> None:
        """Store a piece of a body."""
        exchange.body_received += len(data)
        if exchange.finished:
            return
        if self._limit is not None and exchange.body_received > self._limit:
            exchange.body = b""
            self._refuse(exchange, refusals.body_too_large(self._limit))
        elif exchange.block is not None:
            begin = exchange.body_received - len(data)
            exchange.block.room_for_body(begin)[: len(data)] = data
        elif not exchange.body:
            exchange.body = data
        else:
            if isinstance(exchange.body, bytes):
                exchange.body = bytearray(exchange.body)
            exchange.body += data

    def rest_of_body(self, exchange: Exchange) -> memoryview | None:
        """Return the memory that receives the rest of a large body; None for any other body."""
        block, length = exchange.block, exchange.head.content_length
        if block is None or length is None or exchange.sent:
            return None
        left = length - exchange.body_received
        return block.room_for_body(exchange.body_received)[:left] if left else None

    def incomplete(self, exchange: Exchange) -> None:
        """The rest of a body will never arrive."""
        if exchange.finished or exchange.dropped:
            exchange.connection.close()
            return
        self._refuse(exchange, refusals.body_incomplete())

    def completed(self, exchange: Exchange) -> None:
        """The whole request has arrived."""
        if exchange.dropped:
            exchange.connection.dropped(exchange)
        elif not exchange.finished and not exchange.pending:
            kind = exchange.head.kind
            if kind is Kind.SCORE:
                self._score(exchange)
            elif kind is Kind.PAGES:
                self._show_page(exchange)

    def _score(self, exchange: Exchange) -> None:
        if exchange.sent or exchange.answered:
            return
        if exchange.block is None:
            body, exchange.body = exchange.body, b""
            if not self._write_block(exchange, body, len(body)):
                return
        self._scripts.submit(exchange)

    def _write_block(self, exchange: Exchange, body: bytes | bytearray, length: int) -> bool:
        """Write the request to shared memory; return whether there was enough of it."""
        head = exchange.head.raw or _rebuilt_head(exchange.head)
        request_id = exchange.ids.encoded
        peers = exchange.connection.peers
        size = BLOCK_SIZE + len(request_id) + len(peers) + len(head) + length
        try:
            exchange.block = self._scripts.inbox.allocate(size)
        except OSError as error:
            log.error("There is no memory for a request of %d bytes: %s", size, error)
            self._refuse(exchange, self._refusals[OVERLOADED])
            return False
        trace = exchange.trace.parent_of_scripts if exchange.trace is not None else None
        exchange.block.write(request_id, peers, head, body, length, trace)
        return True

    # Clients that disconnect

    def hang_up(self, exchange: Exchange) -> None:
        """The client has closed its side. A call that has begun goes on and is answered."""
        if exchange.number and not self._scripts.has_begun(exchange):
            self._replica.hang_up(exchange)

    def gone(self, exchange: Exchange) -> None:
        """The connection ended before the response was complete."""
        if exchange.finished:
            return
        exchange.finished = True
        if exchange.number:
            if exchange.answered:
                self._scripts.close_stream(exchange)
            else:
                self._replica.hang_up(exchange)
        self._free_unsent(exchange)
        if exchange in self._waiting_for_specification:
            self._waiting_for_specification.remove(exchange)
        if exchange.trace is not None:
            exchange.trace.end(499)

    # Requests answered without the script

    def _send_specification(self, exchange: Exchange) -> None:
        if not self._scripts.has_been_ready:
            if self._azureml:
                self._refuse(exchange, self._refusals[NOT_READY], counts_reason=False)
            else:
                self._waiting_for_specification.append(exchange)
            return
        query = self._routes.query(exchange.head.target)
        versions = query.get("version")
        documents = Documents(self._scripts.documents, self._scripts.supported)
        self._respond(exchange, documents.answer(versions[0] if versions else None))

    def scripts_changed(self) -> None:
        """A script process became ready, or died."""
        if self._scripts.has_been_ready:
            waiting, self._waiting_for_specification = self._waiting_for_specification, []
            for exchange in waiting:
                self._send_specification(exchange)

    def _show_page(self, exchange: Exchange) -> None:
        showing = self._loop.run_in_executor(
            None,
            self._pages.answer,
            exchange.head.method,
            exchange.head.target,
            exchange.head.headers,
            exchange.connection.client,
        )
        showing.add_done_callback(partial(self._page_made, exchange))

    def _page_made(self, exchange: Exchange, showing: "asyncio.Future[Response]") -> None:
        if exchange.finished:
            return
        if error := showing.exception():
            log.error("The server itself failed", exc_info=error)
            self._respond(exchange, _internal_error())
        else:
            self._respond(exchange, showing.result())

    # Events from the replica

    def refused(self, exchange: Exchange, reason: str) -> None:
        """Respond that a request is not scored."""
        self._refuse(exchange, self._refusals[reason])

    def timed_out(self, exchange: Exchange) -> None:
        """Respond that the script took too long, or break off a streamed response."""
        with request_id_of_log_lines(exchange.ids.request_id):
            log.error("Scoring timeout after %d ms", self._settings.scoring_timeout_ms)
        if exchange.finished:
            return
        if exchange.status:
            # The head has already been sent.
            self._break_off(exchange)
        else:
            self._respond(
                exchange,
                scoring.timeout_response(self._settings.scoring_timeout_ms, self._settings.front_end),
            )

    def crashed(self, exchange: Exchange) -> None:
        """Respond that the script's process died. The bare server closes the connection, as in v1."""
        if exchange.finished:
            return
        if self._azureml:
            self._respond(exchange, refusals.replica_closed())
            return
        exchange.status = 0
        self._finish(exchange, close=True, logs=False)


def _internal_error() -> Response:
    return error_response(500, scoring.INTERNAL_ERROR)


def _rebuilt_head(head: RequestHead) -> bytes:
    """Return the head of a request whose bytes were not kept."""
    lines = [b"%b %b HTTP/%b" % (head.method, head.target, head.version.encode())]
    lines += [b"%b: %b" % header for header in head.headers.items()]
    return b"\r\n".join([*lines, b"", b""])
