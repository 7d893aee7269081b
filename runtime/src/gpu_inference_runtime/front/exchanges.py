"""What becomes of each request: who may pass, what is refused, how answers are sent, counted and logged."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gpu_inference_runtime.access.access import Access
from gpu_inference_runtime.front.exchange import Exchange
from gpu_inference_runtime.front.scripts import ScriptProcesses
from gpu_inference_runtime.http import cors, heads, refusals
from gpu_inference_runtime.http.ids import IdMaker
from gpu_inference_runtime.http.refusals import RefusedError
from gpu_inference_runtime.http.request_head import RequestHead
from gpu_inference_runtime.http.routing import Kind, Routes
from gpu_inference_runtime.observability.access_log import AccessLog
from gpu_inference_runtime.observability.traces import Traces
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.replica import NOT_READY, OVERLOADED, Replica
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web.pages import Pages
from gpu_inference_script import protocol, scoring
from gpu_inference_script.logs import request_id_of_log_lines
from gpu_inference_script.messages import RUN_FAILED, Answer, error_answer
from gpu_inference_script.openapi import Documents
from gpu_inference_script.protocol import BLOCK_SIZE, KIB

if TYPE_CHECKING:
    from gpu_inference_runtime.front.connection import Connection

_HTML = "text/html; charset=utf-8"
# From this size on a body, or an answer, is not copied where that can be helped.
_LARGE_BYTES = 64 * KIB
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_BODY = frozenset({204, 304})

log = logging.getLogger("gpu_inference")


class Exchanges:
    """Decides about all requests of a server. Belongs to the thread of the event loop.

    Args:
        settings: what the server was told.
        scripts: the script processes.
        replica: admits scoring requests.
        counts: where requests are counted.
        traces: where they are traced.
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
        self.connections: set[Connection] = set()
        self.draining = False
        # Whether no connection is accepted any more.
        self.closed = False
        self._settings = settings
        self._azureml = settings.front_end == "azureml"
        self._scripts = scripts
        self._replica = replica
        self._counts = counts
        self._traces = traces
        self._loop = loop
        self._access = Access(settings)
        self._routes = Routes(settings)
        self._ids = IdMaker(settings.sends_server_version)
        self._access_log = AccessLog(loop)
        self._pages = Pages(settings, self._access.refusal)
        self._limit = settings.body_limit
        name = settings.service_name
        self._refusals = {NOT_READY: refusals.not_ready(name), OVERLOADED: refusals.overloaded(name)}
        self._shares = bool(settings.cors_origins)
        # Requests for the specification that wait for init(), as those for a score do.
        self._waiting_for_specification: list[Exchange] = []

    # A request arrives

    def begin(self, exchange: Exchange) -> None:
        """Look at a request whose head has arrived: answer it, or take its body."""
        head = exchange.head
        if head.route is None:
            head.route = self._routes.resolve(head.target)
            head.refused = self._routes.method_answer(head.route, head.method, head.headers)
        kind = head.route.kind
        if head.refused is not None:
            self._respond(exchange, head.refused)
            return
        if kind is Kind.PAGES:
            self._want_body(exchange)
            return
        exchange.ids = ids = self._ids.of(head.headers) if head.is_unique else self._ids.new()
        if ids.refused is not None:
            self._refuse(exchange, RefusedError("id", ids.refused), counts_reason=False)
        elif kind is Kind.SCORE:
            self._begin_scoring(exchange)
        elif head.method == b"OPTIONS":
            self._respond(exchange, Answer(200, b"", (("Allow", head.route.allow),), _HTML))
        elif kind is Kind.HEALTH:
            ready = self._scripts.any_ready
            self._respond(
                exchange, Answer(200 if ready else 503, b"Healthy" if ready else b"Starting", (), _HTML)
            )
        else:
            self._check_access(exchange, self._specify)

    def _begin_scoring(self, exchange: Exchange) -> None:
        if self._traces is not None:
            head = exchange.head
            exchange.trace = self._traces.begin(head.method, head.headers, exchange.ids.request_id)
        method = exchange.head.method_name
        if method == "OPTIONS" and not self._script_wants_options(exchange):
            self._respond(exchange, Answer(200, b"", ((RUN_FAILED, "False"),), _HTML))
        elif method not in self._scripts.methods:
            self._refuse(exchange, refusals.method_not_allowed())
        elif self._access.is_free:
            self._admit(exchange)
        else:
            self._check_access(exchange, self._admit)

    def _check_access(self, exchange: Exchange, then: Callable[[Exchange], None]) -> None:
        """Go on with a request that has the right key or token, and refuse any other."""
        if self._access.may_wait:
            # The issuer of tokens may have to be asked first.
            exchange.pending = True
            checking = self._loop.run_in_executor(None, self._look_at_token, exchange)
            checking.add_done_callback(partial(self._access_checked, exchange, then))
            return
        refused = self._access.refusal(exchange.head.headers)
        if refused is not None:
            self._refuse(exchange, refused)
        else:
            then(exchange)

    def _look_at_token(self, exchange: Exchange) -> RefusedError | None:
        """Return how a request is refused; on a thread of its own."""
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
        """Take the body of a request, unless that would be in vain."""
        length = exchange.head.content_length
        if self._limit is not None and length is not None and length > self._limit:
            self._refuse(exchange, refusals.body_too_large(self._limit))
        elif reason := self._replica.refusal():
            self._refuse(exchange, self._refusals[reason])
        else:
            self._want_body(exchange)

    def _want_body(self, exchange: Exchange) -> None:
        head = exchange.head
        if head.expects_continue and not exchange.complete:
            exchange.connection.write(_CONTINUE)
        length = head.content_length
        if length is not None and length >= _LARGE_BYTES and head.kind is Kind.SCORE:
            # What has come already, while it was not decided whether the request may pass, goes first.
            body, exchange.body = exchange.body, b""
            self._write_block(exchange, body, length)

    def _script_wants_options(self, exchange: Exchange) -> bool:
        """Whether `run()` gets this OPTIONS request: as in v1 where it is given every request.

        With the front end a browser's preflight, which cannot carry a key, is never refused for want of one,
        and `run()` is not called by those who may not score.
        """
        if "OPTIONS" not in self._scripts.methods:
            return False
        if not self._azureml:
            return True
        preflight = b"access-control-request-method" in exchange.head.headers
        return not (preflight and self._shares) and self._access.refusal(exchange.head.headers) is None

    # Its body arrives

    def received(self, exchange: Exchange, data: bytes) -> None:
        """Take a piece of a body."""
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
        """Return the memory into which the rest of a large body can be received; None for any other."""
        block, length = exchange.block, exchange.head.content_length
        if block is None or length is None or exchange.sent:
            return None
        left = length - exchange.body_received
        return block.room_for_body(exchange.body_received)[:left] if left else None

    def incomplete(self, exchange: Exchange) -> None:
        """The rest of a body never comes."""
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
        """Write the request where the script process reads it; return whether there was memory for it."""
        head = exchange.head.raw or _head_again(exchange.head)
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

    # Clients that go away

    def hang_up(self, exchange: Exchange) -> None:
        """The client has closed its side. What has begun for it goes on, and is answered."""
        if exchange.number and not self._scripts.has_begun(exchange):
            self._replica.hang_up(exchange)

    def gone(self, exchange: Exchange) -> None:
        """The connection has ended before the answer was complete."""
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

    # What is answered without the script

    def _specify(self, exchange: Exchange) -> None:
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
        """A script process has become ready, or has ended."""
        if self._scripts.has_been_ready:
            waiting, self._waiting_for_specification = self._waiting_for_specification, []
            for exchange in waiting:
                self._specify(exchange)

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

    def _page_made(self, exchange: Exchange, showing: "asyncio.Future[Answer]") -> None:
        if exchange.finished:
            return
        if error := showing.exception():
            log.error("The server itself failed", exc_info=error)
            self._respond(exchange, _internal_error())
        else:
            self._respond(exchange, showing.result())

    # What the replica tells

    def refused(self, exchange: Exchange, reason: str) -> None:
        """Answer that a request is not scored."""
        self._refuse(exchange, self._refusals[reason])

    def timed_out(self, exchange: Exchange) -> None:
        """Answer that the script took too long, or break a streamed answer off."""
        with request_id_of_log_lines(exchange.ids.request_id):
            log.error("Scoring timeout after %d ms", self._settings.scoring_timeout_ms)
        if exchange.finished:
            return
        if exchange.status:
            # Its head is sent already.
            self._broke_off(exchange)
        else:
            self._respond(
                exchange, scoring.timeout_answer(self._settings.scoring_timeout_ms, self._settings.front_end)
            )

    def crashed(self, exchange: Exchange) -> None:
        """Answer that the script's process has ended; the bare server closes the connection, as v1's did."""
        if exchange.finished:
            return
        if self._azureml:
            self._respond(exchange, refusals.replica_closed())
            return
        exchange.status = 0
        self._finish(exchange, close=True, logs=False)

    # Answers

    def answer_of_script(
        self, exchange: Exchange, status: int, flags: int, head: bytes, body: memoryview | bytes
    ) -> None:
        """Send what the script process has made of a request. The body is only good during this call."""
        length = len(body)
        if flags & protocol.REFUSED:
            self._counts.refused("body")
        close = bool(flags & protocol.CLOSE) or not exchange.keeps or self.draining
        start = self._start_of_script(exchange, status, flags, head, close)
        exchange.status, exchange.length = status, length
        connection = exchange.connection
        if exchange.head.method == b"HEAD" or status in _NO_BODY:
            ending = b"\r\n" if status in _NO_BODY else b"Content-Length: %d\r\n\r\n" % length
            connection.write(start + ending)
        elif length < _LARGE_BYTES:
            connection.write(b"".join((start, b"Content-Length: %d\r\n\r\n" % length, body)))
        else:
            connection.write_large(start + b"Content-Length: %d\r\n\r\n" % length, memoryview(body))
        self._finish(exchange, close)

    def _start_of_script(
        self, exchange: Exchange, status: int, flags: int, head: bytes, close: bool
    ) -> bytes:
        reason = None
        if flags & protocol.HAS_REASON:
            words, _, head = head.partition(b"\r\n")
            reason = str(words, "latin-1")
        start = heads.start(status, reason, not close, exchange.head.version)
        if self._shares and b"access-control-allow-origin:" not in head.lower():
            head += self._cors(exchange)
        return b"%b%b%b" % (start, head, exchange.ids.lines)

    def begin_stream(
        self, exchange: Exchange, status: int, flags: int, head: bytes, part: bytes, length: int | None
    ) -> None:
        """Send the head and the first part of a streamed answer."""
        # What has no other end ends with the connection.
        exchange.stream_chunked = length is None and exchange.head.version == "1.1"
        exchange.keeps = exchange.keeps and (length is not None or exchange.stream_chunked)
        close = bool(flags & protocol.CLOSE) or not exchange.keeps or self.draining
        exchange.keeps = not close
        start = self._start_of_script(exchange, status, flags, head, close)
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
        self.part(exchange, part)

    def part(self, exchange: Exchange, part: bytes) -> None:
        """Send a part of a streamed answer, and ask for the next one unless the client is slow."""
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

    def may_go_on(self, exchange: Exchange) -> None:
        """The client has taken what was sent."""
        if exchange.stream_waits:
            exchange.stream_waits = False
            self._scripts.next_part(exchange)

    def end_stream(self, exchange: Exchange, whole: bool) -> None:
        """End a streamed answer."""
        if exchange.finished:
            return
        if not whole:
            self._broke_off(exchange)
            return
        if exchange.stream_chunked:
            exchange.connection.write(b"0\r\n\r\n")
        close = not exchange.keeps or self.draining
        if exchange.length is not None and exchange.sent_bytes < exchange.length:
            log.warning("An answer was shorter than its Content-Length: the connection is closed")
            close = True
        self._finish(exchange, close)

    def _broke_off(self, exchange: Exchange) -> None:
        """End the connection without a proper end of the body: that is all that HTTP has left."""
        with request_id_of_log_lines(exchange.ids.request_id):
            log.error("A streamed answer of run() broke off")
        self._finish(exchange, close=True)

    def _refuse(self, exchange: Exchange, refused: RefusedError, *, counts_reason: bool = True) -> None:
        if counts_reason and exchange.head.kind is Kind.SCORE:
            self._counts.refused(refused.reason)
        exchange.answered = True
        self._respond(exchange, refused.answer)

    def _respond(self, exchange: Exchange, answer: Answer) -> None:
        """Send an answer of the server's own."""
        if exchange.finished:
            return
        body = answer.body
        assert isinstance(body, bytes)
        close = (
            answer.close or not exchange.keeps or self.draining or exchange.connection.closes_for(exchange)
        )
        more = exchange.ids.lines + self._cors(exchange)
        data = heads.head(
            answer.status,
            answer.reason,
            answer.headers,
            answer.content_type,
            len(body),
            not close,
            more,
            exchange.head.version,
        )
        exchange.status, exchange.length = answer.status, len(body)
        exchange.connection.write(data if exchange.head.method == b"HEAD" else data + body)
        self._finish(exchange, close)

    def _cors(self, exchange: Exchange) -> bytes:
        if not self._shares:
            return b""
        pairs = cors.headers(self._settings.cors_origins, exchange.head.headers, exchange.head.method)
        return "".join(f"{name}: {value}\r\n" for name, value in pairs).encode("latin-1")

    def _finish(self, exchange: Exchange, close: bool, *, logs: bool = True) -> None:
        """The answer is complete: count it, log it, and go on with the connection."""
        exchange.finished = True
        now = time.monotonic()
        seconds = now - exchange.began
        # Without ids it was answered before it was known to be for the script.
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
        """Free the memory of a request that was never handed over; `ScriptProcesses` frees the others."""
        if exchange.block is not None and not exchange.number:
            self._scripts.inbox.free(exchange.block)
            exchange.block = None

    def flush_log(self) -> None:
        """Write the access lines that wait."""
        self._access_log.flush()


def _internal_error() -> Answer:
    return error_answer(500, scoring.INTERNAL_ERROR)


def _head_again(head: RequestHead) -> bytes:
    """Return the head of a request whose bytes were not kept, as good as it was sent."""
    lines = [b"%b %b HTTP/%b" % (head.method, head.target, head.version.encode())]
    lines += [b"%b: %b" % header for header in head.headers.items()]
    return b"\r\n".join([*lines, b"", b""])
