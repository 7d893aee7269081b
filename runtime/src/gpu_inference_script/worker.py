"""The loop of a script process: the main thread takes calls from the front, calls `run()`, and replies.

The main thread does nothing else, and no other thread of the server competes with it for the GIL.
"""

import contextlib
import json
import logging
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from functools import partial
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

from gpu_inference_script import flask_request, memory, protocol, scoring
from gpu_inference_script.batching import make_batcher
from gpu_inference_script.config import Config
from gpu_inference_script.forks import detach_forks
from gpu_inference_script.inbox_request import InboxRequest, response_head, stated_length
from gpu_inference_script.inputs import InputError
from gpu_inference_script.interrupts import Interrupts
from gpu_inference_script.loading import LoadedScript
from gpu_inference_script.logs import request_id_of_log_lines
from gpu_inference_script.parent_span import parent_span
from gpu_inference_script.protocol import CALL, ORDER, REPLY
from gpu_inference_script.response import Response, error_response

copy_context: "Optional[Callable[[], Any]]" = None
# Python 3.6 lacks contextvars.
with contextlib.suppress(ImportError):
    from contextvars import copy_context  # type: ignore[no-redef, assignment, unused-ignore]  # novermin

# Records read at once if no other process could take them.
_MAX_READ = 64
# A batch waits for more calls for at most this share of the time that the last call took.
_SHARE_OF_LAST_CALL = 0.05
# Time at the end to write the remaining collected rows.
_FLUSH_SECONDS = 2.0

log = logging.getLogger("gpu_inference")


class Channels:
    """The file descriptors that the front opened for this process (see protocol.py).

    Args:
        calls: pipe with the calls.
        orders: pipe with the orders.
        replies: pipe for the replies.
        inbox: memory file with the requests.
        outbox: memory file for replies that do not fit into their blocks.
        parent: process id of the front.
        index: number of this process, from 1.
    """

    def __init__(
        self, calls: int, orders: int, replies: int, inbox: int, outbox: int, parent: int, index: int
    ):
        self.calls = calls
        self.orders = orders
        self.replies = replies
        self.inbox = inbox
        self.outbox = outbox
        self.parent = parent
        self.index = index


class _Stream:
    """A streamed body, whose parts the front requests one by one."""

    def __init__(self, request: InboxRequest, body: "Iterator[bytes]") -> None:
        self.request = request
        self.body = body


class _Batch:
    """Several requests in one call of the script: an interrupt of any of them ends it."""

    def __init__(self, requests: "List[InboxRequest]") -> None:
        self._requests = requests

    @property
    def interrupted(self) -> bool:
        return any(request.interrupted for request in self._requests)

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        for request in self._requests:
            request.interrupted = value


class Worker:
    """Takes calls and orders from the front's pipes, and writes replies.

    Args:
        channels: the file descriptors.
        config: the script's settings.
        several: whether other script processes read the same pipe of calls.
    """

    def __init__(self, channels: Channels, config: Config, several: bool) -> None:
        self._channels = channels
        self._config = config
        self._inbox = memory.Inbox(channels.inbox)
        self._outbox = memory.Outbox(channels.outbox)
        self._outbox_lock = threading.Lock()
        self._streams: "Dict[int, _Stream]" = {}
        self._stream_orders: "Deque[Tuple[int, int]]" = deque()
        self._interrupts = Interrupts(_is_interrupted, _interrupt_delivered)
        self._batch = _Batch([])
        self._waiting = select.poll()
        self._waiting.register(channels.orders, select.POLLIN)
        self._waiting.register(channels.calls, select.POLLIN)
        self._stopping = False
        self._is_forked = False
        self._overlaps = config.parallel_runs > 1
        self._adds_id = config.front_end == "azureml"
        one_by_one = several or config.parallel_runs > 1
        self._read_size = CALL.size * (1 if one_by_one and config.batching == "none" else _MAX_READ)
        self._last_call_seconds = 0.0
        self._last_batch = 1
        self._script: "Optional[LoadedScript]" = None
        self._batcher: "Optional[Callable[[List[Any]], List[Response]]]" = None

    # The life of the process

    def take(self, script: LoadedScript) -> None:
        """Use this script for the calls.

        Raises:
            UnsupportedScriptError: the script does not support the batching mode `array`.
        """
        self._script = script
        self._batcher = make_batcher(script.script, self._config, self._score, in_script=self._in_script)

    def serve(self) -> None:
        """Report that the script is ready, and make calls on this thread until the front orders a stop."""
        assert self._script is not None
        own = (self._channels.calls, self._channels.orders, self._channels.replies)
        detach_forks(self._interrupts, own, self._forked)
        self._report_ready(self._script)
        for _ in range(1, self._config.parallel_runs):
            # These threads also see the context variables that `init()` has set.
            on_thread = (
                partial(copy_context().run, self._serve_on_thread) if copy_context else self._serve_on_thread
            )
            threading.Thread(target=on_thread, name="script", daemon=True).start()
        while not self._stopping:
            self._serve_some()
        self._end()

    def _forked(self) -> None:
        """Remember that this is a forked process: it must not reply, even if it returns from `run()`."""
        self._is_forked = True

    def _report_ready(self, script: LoadedScript) -> None:
        document = {
            "version": protocol.VERSION,
            "methods": sorted(script.script.inputs.methods),
            "documents": script.documents,
            "supported": script.supported,
            "init_seconds": script.init_seconds,
        }
        self._reply_in_outbox(protocol.READY, 0, 0, 0, b"", json.dumps(document).encode())

    def _serve_on_thread(self) -> None:
        """Make calls on another thread, so that calls overlap."""
        while True:
            select.select([self._channels.calls], [], [])
            self._make_calls(self._read_calls())

    def _serve_some(self) -> None:
        try:
            while not self._stopping:
                self._serve_next()
        except Exception:
            # Between two calls, only a signal handler of the script can raise.
            log.exception("A signal handler of the script has failed")

    def _serve_next(self) -> None:
        for descriptor, _ in self._waiting.poll():
            if descriptor == self._channels.calls:
                self._make_calls(self._read_calls())
            else:
                self._follow_orders()

    def _end(self) -> None:
        handler = signal.getsignal(signal.SIGTERM)
        if callable(handler):
            log.info("Calling the script's own SIGTERM handler")
            try:
                handler(signal.SIGTERM, None)
            except SystemExit:
                # Such handlers usually call sys.exit; the process's exit status does not depend on it.
                pass
            except BaseException:
                log.exception("The script's own SIGTERM handler has failed")
        model_data = sys.modules.get("gpu_inference_script.stand_ins.model_data")
        rows = model_data.collection().rows if model_data else None
        if rows is not None:
            rows.flush(_FLUSH_SECONDS)
        logging.shutdown()

    # Orders

    def _read_orders(self) -> None:
        """Read the orders that have arrived. Those that need the script wait until no call is running."""
        try:
            data = os.read(self._channels.orders, ORDER.size * _MAX_READ)
        except BlockingIOError:
            return
        if not data:
            # The front has died; the kernel will kill this process in a moment.
            self._stopping = True
        for what, number in ORDER.iter_unpack(data):
            if what == protocol.FREE:
                with self._outbox_lock:
                    self._outbox.free(number)
            elif what == protocol.STOP:
                self._stopping = True
            else:
                self._stream_orders.append((what, number))

    def _follow_orders(self) -> None:
        self._read_orders()
        while True:
            try:
                what, call = self._stream_orders.popleft()
            except IndexError:
                # If calls overlap, several threads execute this.
                return
            stream = self._streams.get(call)
            # The stream may have ended before the order arrived.
            if stream is not None:
                within = stream.request.context
                follow = self._next_part if what == protocol.NEXT_PART else self._end_stream
                with request_id_of_log_lines(stream.request.request_id):
                    if within is None:
                        follow(stream)
                    else:
                        within.run(follow, stream)

    def _next_part(self, stream: _Stream) -> None:
        try:
            part = self._in_script_of(stream.request, lambda: next(stream.body, None))
        except BaseException:
            log.exception("A streamed response of run() broke off")
            self._end_stream(stream, protocol.BROKEN)
            return
        if part is None:
            self._end_stream(stream, protocol.END)
        else:
            self._send(stream.request, protocol.PART, 0, 0, b"", part, 0.0, 0)

    def _end_stream(self, stream: _Stream, kind: int = protocol.END) -> None:
        """Let the script clean up, and report the end of the stream."""
        del self._streams[stream.request.call]
        self._close_body(stream.request, stream.body)
        self._reply(kind, 0, 0, 0, stream.request.call, 0, 0, 0.0, 0)

    def _close_body(self, request: InboxRequest, body: "Iterator[bytes]") -> None:
        close = getattr(body, "close", None)
        if close is None:
            return
        try:
            self._in_script_of(request, close)
        except BaseException:
            log.exception("A streamed response could not be closed")

    # Calls

    def _read_calls(self) -> "List[Tuple[int, int]]":
        try:
            data = os.read(self._channels.calls, self._read_size)
        except BlockingIOError:
            # Another process read the record first.
            return []
        calls = list(CALL.iter_unpack(data))
        if self._batcher is not None:
            self._wait_for_more_calls(calls)
        return calls

    def _wait_for_more_calls(self, calls: "List[Tuple[int, int]]") -> None:
        """Add the calls that arrive within a small share of the time that the last batch took."""
        end = time.monotonic() + self._last_call_seconds * _SHARE_OF_LAST_CALL
        while len(calls) < self._last_batch:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._channels.calls], [], [], left)[0]:
                return
            with contextlib.suppress(BlockingIOError):
                calls += CALL.iter_unpack(os.read(self._channels.calls, self._read_size))

    def _make_calls(self, calls: "List[Tuple[int, int]]") -> None:
        if self._batcher is not None:
            self._run_batch(calls)
            return
        for call, offset in calls:
            request = self._begin(call, offset)
            if request is not None:
                began = time.perf_counter()
                response = self._score(request) if not self._overlaps else self._score_in_context(request)
                self._respond(request, response, time.perf_counter() - began, 1)
            if self._streams:
                self._follow_orders()

    def _score_in_context(self, request: InboxRequest) -> Response:
        """Return the response, made in its own context, so that any thread can make parts of a stream."""
        if copy_context is None or "flask" not in sys.modules:
            return self._score(request)
        request.context = copy_context()
        response: Response = request.context.run(self._score, request)
        return response

    def _run_batch(self, calls: "List[Tuple[int, int]]") -> None:
        requests = [request for request in (self._begin(*call) for call in calls) if request is not None]
        if not requests:
            return
        assert self._batcher is not None
        self._batch = _Batch(requests)
        began = time.perf_counter()
        with request_id_of_log_lines(requests[0].request_id):
            responses = self._batcher(requests)
        self._last_call_seconds = spent = time.perf_counter() - began
        self._last_batch = len(requests)
        for number, (request, response) in enumerate(zip(requests, responses)):
            self._respond(request, response, spent, 0 if number else len(requests))

    def _begin(self, call: int, offset: int) -> "Optional[InboxRequest]":
        """Return the request of a call, marked as begun; None if the front has abandoned it."""
        request = InboxRequest(call, offset, *self._inbox.block(offset), self._adds_id)
        if request.abandoned:
            self._reply(protocol.SKIPPED, 0, 0, 0, call, 0, 0, 0.0, 0)
            return None
        request.mark_begun(self._channels.index)
        return request

    def _score(self, request: InboxRequest) -> Response:
        """Return the response to one request; never raises, whatever the script does."""
        with request_id_of_log_lines(request.request_id):
            try:
                with flask_request.current(request):
                    if request.trace is None:
                        return self._script_response(request)
                    with parent_span(request.trace):
                        return self._script_response(request)
            except BaseException:
                log.exception("The server itself failed")
                return error_response(500, scoring.INTERNAL_ERROR)

    def _script_response(self, request: InboxRequest) -> Response:
        assert self._script is not None
        front_end = self._config.front_end
        script = self._script.script
        try:
            call = script.call(request)
        except InputError as error:
            request.refused = True
            return scoring.input_refused(error, front_end)
        response = scoring.score(
            partial(self._interrupts.run, request, call.make),
            front_end,
            call.client_error,
            self._config.scoring_timeout_ms,
            script.inputs.media_type(request),
        )
        response = flask_request.finish(response, front_end)
        return response if isinstance(response.body, bytes) else self._with_first_part(request, response)

    # docs/decisions.md 64
    def _with_first_part(self, request: InboxRequest, response: Response) -> Response:
        """Make the first part of a streamed body: until then, a failure can still change the status."""
        body = response.body
        assert not isinstance(body, bytes)
        try:
            request.first_part = self._in_script_of(request, lambda: next(body, None))
        except BaseException:
            log.exception("Encountered Exception in run()")
            self._close_body(request, body)
            return scoring.failure_response(self._config.front_end)
        return response

    # Time limits

    def _in_script(self, function: "Callable[[], Any]") -> Any:
        """Run code of the script for the current batch, within its time limit."""
        return self._interrupts.run(self._batch, function)

    def _in_script_of(self, request: InboxRequest, function: "Callable[[], Any]") -> Any:
        """Run code of the script for one request, within its time limit."""
        return self._interrupts.run(request, function)

    # Replies

    def _respond(self, request: InboxRequest, response: Response, seconds: float, batch: int) -> None:
        """Send the response to a call.

        Args:
            request: the request.
            response: its response.
            seconds: time for the call.
            batch: size of the batch, for the first call of a batch; 0 for the others.
        """
        flags, head = response_head(response)
        if request.refused:
            flags |= protocol.REFUSED
        if isinstance(response.body, bytes):
            self._send(
                request, protocol.RESPONSE, flags, response.status, head, response.body, seconds, batch
            )
            return
        stream = self._streams[request.call] = _Stream(request, response.body)
        first = request.first_part
        length = stated_length(response)
        number = 0 if length is None else length + 1
        self._send(request, protocol.STREAM, flags, response.status, head, first or b"", seconds, number)
        if first is None:
            self._end_stream(stream, protocol.END)

    def _send(
        self,
        request: InboxRequest,
        kind: int,
        flags: int,
        status: int,
        head: bytes,
        body: bytes,
        seconds: float,
        number: int,
    ) -> None:
        if request.write(head, body):
            self._reply(kind, flags, status, len(head), request.call, 0, len(body), seconds, number)
        else:
            flags |= protocol.IN_OUTBOX
            self._reply_in_outbox(kind, flags, status, request.call, head, body, seconds, number)

    def _reply_in_outbox(
        self,
        kind: int,
        flags: int,
        status: int,
        call: int,
        head: bytes,
        body: bytes,
        seconds: float = 0.0,
        number: int = 0,
    ) -> None:
        # Free the blocks that the front has read.
        if threading.current_thread() is threading.main_thread():
            self._read_orders()
        with self._outbox_lock:
            offset = self._outbox.write(head, body)
        self._reply(
            kind, flags | protocol.IN_OUTBOX, status, len(head), call, offset, len(body), seconds, number
        )

    def _reply(self, *values: Any) -> None:
        if self._is_forked:
            os._exit(1)
        os.write(self._channels.replies, REPLY.pack(*values))

    def count_rows(self, outcome: str, rows: int) -> None:
        """Report collected rows (`written` or `dropped`); called on the thread that writes them."""
        self._reply(protocol.COUNT, 0, 0, 0, 0, 0, rows, 0.0, int(outcome == "written"))


def _is_interrupted(call: Any) -> bool:
    return bool(call.interrupted)


def _interrupt_delivered(call: Any) -> None:
    call.interrupted = False
