"""The script process: its main thread takes requests from the front, calls `run()`, and writes the answers.

The main thread does nothing else, and no other thread of the server competes with it for Python's lock.
"""

import contextlib
import ctypes
import faulthandler
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
from gpu_inference_script.batch_modes import UnfitError
from gpu_inference_script.batching import make_batcher
from gpu_inference_script.config import Config
from gpu_inference_script.crossing import CrossedRequest, answer_head, stated_length
from gpu_inference_script.forks import leave_to_the_script
from gpu_inference_script.inputs import InputError
from gpu_inference_script.interrupts import Interrupts
from gpu_inference_script.loading import LoadedScript, StartError, load
from gpu_inference_script.log_setup import configure_logging
from gpu_inference_script.logs import print_to_log, request_id_of_log_lines
from gpu_inference_script.messages import Answer, error_answer
from gpu_inference_script.protocol import CALL, ORDER, REPLY

copy_context: "Optional[Callable[[], Any]]" = None
# Python 3.6 has none.
with contextlib.suppress(ImportError):
    from contextvars import copy_context  # type: ignore[no-redef, assignment, unused-ignore]  # novermin

# Records read at once, where no other process could take them meanwhile.
_MOST_READ = 64
# A batch waits for company for at most this share of the time that the last call took.
_SHARE_OF_LAST_CALL = 0.05
# On Linux: the kernel sends this process a signal when its parent ends.
_PR_SET_PDEATHSIG = 1
# glibc: keep the memory of large bodies instead of asking the kernel for it, zeroed, with each request.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 16 * protocol.MIB
# Collected rows that are not written yet get this long at the end, seconds.
_FLUSH_SECONDS = 2.0

log = logging.getLogger("gpu_inference")


class Channels:
    """The file descriptors that the front has opened for this process, and its place among its siblings."""

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


def main(text: str) -> None:
    """Serve until the front says stop; `text` is the JSON object with `channels`, `several` and `config`."""
    given = json.loads(text)
    channels = Channels(**given["channels"])
    _end_with(channels.parent)
    _keep_memory()
    faulthandler.enable()
    # Nobody types Ctrl-C here: the signal ends a process, and whatever the script starts, as any other does.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    config = Config.from_json(json.dumps(given["config"]))
    configure_logging(config.log_format, config.log_level, config.app_root, config.entry_script)
    print_to_log()
    worker = Worker(channels, config, several=bool(given["several"]))
    try:
        script = load(config, worker.count_rows)
        worker.take(script)
    except (StartError, UnfitError) as error:
        # The user may have left threads behind: they must not keep a process alive that cannot serve.
        log.error("%s", error)
        logging.shutdown()
        sys.stdout.flush()
        os._exit(protocol.START_FAILED)
    worker.serve()


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when the front ends, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        # docs/decisions.md 44
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(protocol.STOPPED)


def _keep_memory() -> None:
    # Absent from other C libraries, which have no such thresholds.
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


class _Stream:
    """A streamed body whose parts the front asks for one by one."""

    def __init__(self, request: CrossedRequest, body: "Iterator[bytes]") -> None:
        self.request = request
        self.body = body


class _Together:
    """Several requests in one call of the script's: a wish to end any of them ends it."""

    def __init__(self, requests: "List[CrossedRequest]") -> None:
        self._requests = requests

    @property
    def interrupted(self) -> bool:
        return any(request.interrupted for request in self._requests)

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        for request in self._requests:
            request.interrupted = value


class Worker:
    """Takes calls and orders from the front's pipes and answers them.

    Args:
        channels: the descriptors.
        config: what the front was told.
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
        self._together = _Together([])
        self._waiting = select.poll()
        self._waiting.register(channels.orders, select.POLLIN)
        self._waiting.register(channels.calls, select.POLLIN)
        self._stopping = False
        self._is_forked = False
        self._overlaps = config.parallel_runs > 1
        self._adds_id = config.front_end == "azureml"
        one_by_one = several or config.parallel_runs > 1
        self._read_size = CALL.size * (1 if one_by_one and config.batching == "none" else _MOST_READ)
        self._last_call_seconds = 0.0
        self._last_batch = 1
        self._script: "Optional[LoadedScript]" = None
        self._batcher: "Optional[Callable[[List[Any]], List[Answer]]]" = None

    # The life of the process

    def take(self, script: LoadedScript) -> None:
        """Make calls of this script.

        Raises:
            UnfitError: it cannot be called as the settings want it.
        """
        self._script = script
        self._batcher = make_batcher(script.script, self._config, self._score, in_script=self._in_script)

    def serve(self) -> None:
        """Report that the script is ready, and make calls on this thread until the front says stop."""
        assert self._script is not None
        own = (self._channels.calls, self._channels.orders, self._channels.replies)
        leave_to_the_script(self._interrupts, own, self._forked)
        self._report_ready(self._script)
        for _ in range(1, self._config.parallel_runs):
            # What `init()` has set in context variables holds there too.
            beside = partial(copy_context().run, self._serve_beside) if copy_context else self._serve_beside
            threading.Thread(target=beside, name="script", daemon=True).start()
        while not self._stopping:
            self._serve_some()
        self._end()

    def _forked(self) -> None:
        """A process that the script has forked answers no request, even if it comes back from `run()`."""
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

    def _serve_beside(self) -> None:
        """Make calls on one more thread, so that they overlap."""
        while True:
            select.select([self._channels.calls], [], [])
            self._make_calls(self._read_calls())

    def _serve_some(self) -> None:
        try:
            while not self._stopping:
                self._serve_next()
        except Exception:
            # Between two calls only a signal handler of the script's can raise.
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
            log.info("Calling the script's own handler of SIGTERM")
            try:
                handler(signal.SIGTERM, None)
            except SystemExit:
                # What such handlers are for; the server's exit status is its own.
                pass
            except BaseException:
                log.exception("The script's own handler of SIGTERM has failed")
        model_data = sys.modules.get("gpu_inference_script.stand_ins.model_data")
        rows = model_data.collection().rows if model_data else None
        if rows is not None:
            rows.flush(_FLUSH_SECONDS)
        logging.shutdown()

    # Orders

    def _read_orders(self) -> None:
        """Read the orders that are there. Those that need the script are kept until no call goes on."""
        try:
            data = os.read(self._channels.orders, ORDER.size * _MOST_READ)
        except BlockingIOError:
            return
        if not data:
            # The front has ended; the kernel kills this process in a moment.
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
                # Where calls overlap, several threads are here.
                return
            stream = self._streams.get(call)
            # It may have ended while the order was on its way.
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
            log.exception("A streamed answer of run() broke off")
            self._end_stream(stream, protocol.BROKEN)
            return
        if part is None:
            self._end_stream(stream, protocol.END)
        else:
            self._send(stream.request, protocol.PART, 0, 0, b"", part, 0.0, 0)

    def _end_stream(self, stream: _Stream, kind: int = protocol.END) -> None:
        """Let the script clean up, and give the request's block back."""
        del self._streams[stream.request.call]
        self._close_body(stream.request, stream.body)
        self._reply(kind, 0, 0, 0, stream.request.call, 0, 0, 0.0, 0)

    def _close_body(self, request: CrossedRequest, body: "Iterator[bytes]") -> None:
        close = getattr(body, "close", None)
        if close is None:
            return
        try:
            self._in_script_of(request, close)
        except BaseException:
            log.exception("A streamed answer could not be closed")

    # Calls

    def _read_calls(self) -> "List[Tuple[int, int]]":
        try:
            data = os.read(self._channels.calls, self._read_size)
        except BlockingIOError:
            # Another process was quicker.
            return []
        calls = list(CALL.iter_unpack(data))
        if self._batcher is not None:
            self._wait_for_company(calls)
        return calls

    def _wait_for_company(self, calls: "List[Tuple[int, int]]") -> None:
        """Add the calls that arrive within a small share of the time that the last one took."""
        end = time.monotonic() + self._last_call_seconds * _SHARE_OF_LAST_CALL
        while len(calls) < self._last_batch:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._channels.calls], [], [], left)[0]:
                return
            with contextlib.suppress(BlockingIOError):
                calls += CALL.iter_unpack(os.read(self._channels.calls, self._read_size))

    def _make_calls(self, calls: "List[Tuple[int, int]]") -> None:
        if self._batcher is not None:
            self._make_together(calls)
            return
        for call, offset in calls:
            request = self._begin(call, offset)
            if request is not None:
                began = time.perf_counter()
                answer = self._score(request) if not self._overlaps else self._score_apart(request)
                self._answer(request, answer, time.perf_counter() - began, 1)
            if self._streams:
                self._follow_orders()

    def _score_apart(self, request: CrossedRequest) -> Answer:
        """Return the answer, made in a context of its own, in which any thread can make parts of a stream."""
        if copy_context is None or "flask" not in sys.modules:
            return self._score(request)
        request.context = copy_context()
        answer: Answer = request.context.run(self._score, request)
        return answer

    def _make_together(self, calls: "List[Tuple[int, int]]") -> None:
        requests = [request for request in (self._begin(*call) for call in calls) if request is not None]
        if not requests:
            return
        assert self._batcher is not None
        self._together = _Together(requests)
        began = time.perf_counter()
        with request_id_of_log_lines(requests[0].request_id):
            answers = self._batcher(requests)
        self._last_call_seconds = spent = time.perf_counter() - began
        self._last_batch = len(requests)
        for number, (request, answer) in enumerate(zip(requests, answers)):
            self._answer(request, answer, spent, 0 if number else len(requests))

    def _begin(self, call: int, offset: int) -> "Optional[CrossedRequest]":
        """Return the request of a call, marked as begun; None where it was abandoned meanwhile."""
        request = CrossedRequest(call, offset, *self._inbox.block(offset), self._adds_id)
        if request.abandoned:
            self._reply(protocol.SKIPPED, 0, 0, 0, call, 0, 0, 0.0, 0)
            return None
        request.mark_begun(self._channels.index)
        return request

    def _score(self, request: CrossedRequest) -> Answer:
        """Return the answer to one request; whatever the script does, this raises nothing."""
        with request_id_of_log_lines(request.request_id):
            try:
                with flask_request.current(request):
                    if request.trace is None:
                        return self._answer_of_script(request)
                    with _part_of(request.trace):
                        return self._answer_of_script(request)
            except BaseException:
                log.exception("The server itself failed")
                return error_answer(500, scoring.INTERNAL_ERROR)

    def _answer_of_script(self, request: CrossedRequest) -> Answer:
        assert self._script is not None
        front_end = self._config.front_end
        script = self._script.script
        try:
            call = script.call(request)
        except InputError as error:
            request.refused = True
            return scoring.refused_input(error, front_end)
        answer = scoring.score(
            partial(self._interrupts.run, request, call.make),
            front_end,
            call.client_fault,
            self._config.scoring_timeout_ms,
            script.inputs.media_type(request),
        )
        answer = flask_request.finish(answer, front_end)
        return answer if isinstance(answer.body, bytes) else self._with_first_part(request, answer)

    # docs/decisions.md 64
    def _with_first_part(self, request: CrossedRequest, answer: Answer) -> Answer:
        """Make the first part of a streamed body: until then a failure can still be told by the status."""
        body = answer.body
        assert not isinstance(body, bytes)
        try:
            request.first_part = self._in_script_of(request, lambda: next(body, None))
        except BaseException:
            log.exception("Encountered Exception in run()")
            self._close_body(request, body)
            return scoring.failure_answer(self._config.front_end)
        return answer

    # Time limits

    def _in_script(self, function: "Callable[[], Any]") -> Any:
        """Run the script's code for the batch in hand, within its time limit."""
        return self._interrupts.run(self._together, function)

    def _in_script_of(self, request: CrossedRequest, function: "Callable[[], Any]") -> Any:
        """Run the script's code for one request, within its time limit."""
        return self._interrupts.run(request, function)

    # Answers

    def _answer(self, request: CrossedRequest, answer: Answer, seconds: float, batch: int) -> None:
        """Send the answer to a call; `batch` is the size of its batch, told with the first call of each."""
        flags, head = answer_head(answer)
        if request.refused:
            flags |= protocol.REFUSED
        if isinstance(answer.body, bytes):
            self._send(request, protocol.ANSWER, flags, answer.status, head, answer.body, seconds, batch)
            return
        stream = self._streams[request.call] = _Stream(request, answer.body)
        first = request.first_part
        length = stated_length(answer)
        number = 0 if length is None else length + 1
        self._send(request, protocol.STREAM, flags, answer.status, head, first or b"", seconds, number)
        if first is None:
            self._end_stream(stream, protocol.END)

    def _send(
        self,
        request: CrossedRequest,
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
        # Blocks that the front has done with can be used again.
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
        """Report rows that were collected; called by the thread that writes them."""
        self._reply(protocol.COUNT, 0, 0, 0, 0, 0, rows, 0.0, int(outcome == "written"))


@contextlib.contextmanager
def _part_of(trace: "Tuple[bytes, bytes, int]") -> "Iterator[None]":
    try:
        from opentelemetry import context
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
    except ImportError:
        # An environment of the script's own without OpenTelemetry: it makes no spans either.
        yield
        return
    trace_id, span_id, flags = trace
    parent = SpanContext(
        int.from_bytes(trace_id, "big"), int.from_bytes(span_id, "big"), True, TraceFlags(flags)
    )
    token = context.attach(set_span_in_context(NonRecordingSpan(parent)))
    try:
        yield
    finally:
        context.detach(token)


def _is_interrupted(call: Any) -> bool:
    return bool(call.interrupted)


def _interrupt_delivered(call: Any) -> None:
    call.interrupted = False
