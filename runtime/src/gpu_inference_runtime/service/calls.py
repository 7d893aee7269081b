"""Has calls made on the script's thread within the scoring timeout, and looks after those that outlive it."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from gpu_inference_runtime.messages import Answer
from gpu_inference_runtime.process.state import State
from gpu_inference_runtime.script import scoring
from gpu_inference_runtime.script.script_thread import ScriptThread
from gpu_inference_runtime.script.streams import AnswerStream, PartTimeoutError
from gpu_inference_runtime.service.slots import ClosedError, Slots
from gpu_inference_runtime.settings import Settings

T = TypeVar("T")

log = logging.getLogger("gpu_inference")


class Calls:
    """Calls of `run()`. A slot, taken by the caller, is given back when the call really ends.

    Args:
        settings: the timeouts.
        script: where the calls are made.
        slots: where the callers' slots go back to.
        state: told of calls that are overdue.
        replace_process: called, on some thread, when one is not going to end.
    """

    def __init__(
        self,
        settings: Settings,
        script: ScriptThread,
        slots: Slots,
        state: State,
        replace_process: Callable[[], None] = lambda: None,
    ) -> None:
        self._timeout_ms = settings.scoring_timeout_ms
        self._patience = settings.worker_timeout_seconds
        self._front_end = settings.front_end
        self._script = script
        self._slots = slots
        self._state = state
        self._replace_process = replace_process
        self._lock = threading.Lock()
        self._unfinished: set[Future[Any]] = set()
        self._closed = False

    def answer(self, call: Callable[[], Answer]) -> Answer:
        """Return what the call returns, or the answer that tells that it took too long.

        A streamed body keeps the slot until its last part was taken, or it was closed.

        Raises:
            ClosedError: the process is about to be replaced, and the call has not begun.
        """
        context = copy_context()
        future = self._submit(partial(self._begin, call, context), context, self._release)
        if self._in_time(future):
            if future.cancelled():
                raise ClosedError
            return future.result()
        future.add_done_callback(_close_stream)
        return scoring.timeout_answer(self._timeout_ms, self._front_end)

    def close(self) -> None:
        """Begin no call any more; those that wait for their turn are told at once."""
        with self._lock:
            self._closed = True
            unfinished = list(self._unfinished)
        for future in unfinished:
            future.cancel()

    def next_part(self, body: Iterator[bytes], context: Context) -> bytes | None:
        """Return the next part of a streamed body, made on the script's thread; None after the last one.

        Raises:
            PartTimeoutError: it took longer than the scoring timeout; the body is closed when it has ended.
            Exception: whatever the body raises.
        """
        future = self._submit(lambda: self._script.in_script(lambda: next(body, None)), context)
        if self._in_time(future):
            return future.result()
        # Not before that: calls may overlap, and a body cannot be closed while a part of it is made.
        future.add_done_callback(lambda _: self.end_stream(body, context))
        raise PartTimeoutError

    def end_stream(self, body: Iterator[bytes], context: Context) -> None:
        """Close a streamed body on the script's thread, and give its slot back after that."""
        future = self._script.submit(lambda: self._close_here(body), context)
        future.add_done_callback(lambda _: self._slots.give_back())

    def _begin(self, call: Callable[[], Answer], context: Context) -> Answer:
        """Make the call, on the script's thread and in this context."""
        answer = self._script.with_variables(call)
        body = answer.body
        if isinstance(body, bytes):
            return answer
        try:
            # Until there is a first part, a failure can still be told by the answer's status.
            first = self._script.in_script(lambda: next(body, None))
        except BaseException:
            log.exception("Encountered Exception in run()")
            self._close_here(body)
            return scoring.failure_answer(self._front_end)
        return replace(answer, body=AnswerStream(first, body, self, context))

    def _close_here(self, body: Iterator[bytes]) -> None:
        close = getattr(body, "close", lambda: None)
        try:
            self._script.in_script(close)
        except BaseException:
            log.exception("A streamed answer could not be closed")

    def _release(self, future: Future[Answer]) -> None:
        whole = future.cancelled() or future.exception() or isinstance(future.result().body, bytes)
        if whole:
            self._slots.give_back()

    def _submit(
        self, call: Callable[[], T], context: Context, ended: Callable[["Future[T]"], None] | None = None
    ) -> "Future[T]":
        future = self._script.submit(call, context)
        if ended:
            future.add_done_callback(ended)
        with self._lock:
            self._unfinished.add(future)
            closed = self._closed
        future.add_done_callback(self._forget)
        if closed:
            future.cancel()
        return future

    def _forget(self, future: "Future[Any]") -> None:
        with self._lock:
            self._unfinished.discard(future)

    def _in_time(self, future: "Future[Any]") -> bool:
        """Whether the call has ended within the timeout; if not, it is ended as far as that is possible."""
        ended = threading.Event()
        # Not `concurrent.futures.wait`, which does not notice that a future is cancelled.
        future.add_done_callback(lambda _: ended.set())
        if ended.wait(self._timeout_ms / 1000) or future.done():
            return True
        log.error("Scoring timeout after %d ms", self._timeout_ms)
        if not future.cancel():
            self._watch_overdue(future)
            self._script.interrupt(future)
        return False

    def _watch_overdue(self, future: "Future[Any]") -> None:
        self._state.call_overdue()
        timer = threading.Timer(self._patience, self._give_up, (future,))
        timer.daemon = True
        timer.start()

        def ended(_: object) -> None:
            timer.cancel()
            self._state.overdue_call_ended()

        future.add_done_callback(ended)

    def _give_up(self, future: "Future[Any]") -> None:
        if future.done():
            return
        log.error(
            "A call of run() still goes on %d s after its scoring timeout (WORKER_TIMEOUT):"
            " the process is replaced, and init() runs again.",
            self._patience,
        )
        self._replace_process()


def _close_stream(future: Future[Answer]) -> None:
    """Close the stream that a call returned after nobody wanted it any more."""
    if not future.cancelled() and not future.exception():
        body = future.result().body
        if isinstance(body, AnswerStream):
            body.close()
