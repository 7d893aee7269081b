"""The one way from a request to its answer: ids, key, size, queue, script, timeout, and all the counting.

Every front end (the Flask route now, an event loop later) calls `ScoringService.answer`.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gpu_inference_runtime import scoring
from gpu_inference_runtime.authorization import Authorization, IssuerUnknownError
from gpu_inference_runtime.calls import Calls
from gpu_inference_runtime.entry_script import EntryScript
from gpu_inference_runtime.inputs import InputError
from gpu_inference_runtime.keys import Keys
from gpu_inference_runtime.logs import request_id_of_log_lines
from gpu_inference_runtime.messages import (
    RUN_FAILED,
    Answer,
    BodyTooLargeError,
    BodyUnreadableError,
    Request,
    error_answer,
)
from gpu_inference_runtime.metrics import Metrics
from gpu_inference_runtime.request_ids import IdTooLongError, RequestIds, request_ids
from gpu_inference_runtime.script_thread import ScriptThread
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.slots import OverloadedError, Slots
from gpu_inference_runtime.state import State
from gpu_inference_runtime.traces import Trace, Traces

# More than wait in practice within azureml-fe's 500 ms; few enough that each can have its own thread.
LONGEST_QUEUE = 64

log = logging.getLogger("gpu_inference")

_RETRY_SOON = ("Retry-After", "1")
# Of a script that is not known yet.
_METHODS = frozenset({"GET", "POST"})


class _RefusedError(Exception):
    """Carries the answer to a request that does not get to `run()`, and the reason's name in the metrics."""

    def __init__(self, reason: str, answer: Answer) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answer = answer


class ScoringService:
    """Answers scoring requests. Safe to call from any number of threads; `run()` itself never overlaps."""

    def __init__(
        self, settings: Settings, script: ScriptThread, state: State, metrics: Metrics, traces: Traces
    ) -> None:
        self._settings = settings
        self._traces = traces
        self._state = state
        self._metrics = metrics
        self._authorization = _authorization(settings)
        self._slots = Slots(settings.max_concurrent_requests, settings.queue_wait_seconds, LONGEST_QUEUE)
        self._calls = Calls(settings, script, self._slots, state)
        self._script: EntryScript | None = None
        metrics.capacity_slots.set(self._slots.capacity)
        metrics.busy_slots.set_function(lambda: self._slots.taken)
        metrics.busy_slots_average.set_function(self._slots.average_taken)
        metrics.queued_requests.set_function(lambda: self._slots.waiting)

    def start(self, script: EntryScript) -> None:
        """Begin to score with the script, once its `init()` has ended."""
        self._script = script
        self._state.ready = True

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request, whatever happens to it; every answer is counted."""
        began = time.perf_counter()
        try:
            ids = request_ids(request.headers)
        except IdTooLongError as error:
            answer = error_answer(431, str(error))
        else:
            with request_id_of_log_lines(ids.request_id):
                answer = self._answer_known(request, ids)
        self._metrics.requests.labels(code=str(answer.status)).inc()
        self._metrics.request_seconds.observe(time.perf_counter() - began)
        return answer

    def _answer_known(self, request: Request, ids: RequestIds) -> Answer:
        with self._traces.request(request, ids.request_id) as trace:
            try:
                answer = self._score(request, trace)
            except _RefusedError as refused:
                self._metrics.refusals.labels(reason=refused.reason).inc()
                answer = refused.answer
            except Exception:
                log.exception("The server itself failed")
                answer = error_answer(500, scoring.INTERNAL_ERROR)
            trace.answered(answer.status)
        return replace(answer, headers=(*answer.headers, *ids.headers()))

    def _score(self, request: Request, trace: Trace) -> Answer:
        script = self._script
        if request.method not in (script.inputs.methods if script else _METHODS):
            if request.method == "OPTIONS":
                return Answer(200, b"", ((RUN_FAILED, "False"),), "text/html; charset=utf-8")
            raise _RefusedError("method", error_answer(405, "Method not allowed"))
        self._authorize(request)
        limit = self._settings.body_limit
        if limit is not None and (request.content_length or 0) > limit:
            raise self._too_large(limit)
        if script is None:
            message = f"No ready replicas for service {self._settings.service_name}."
            raise _RefusedError("starting", error_answer(503, message, _RETRY_SOON, close=True))
        try:
            with self._slots.place():
                call = self._call(script, request)
                began = time.perf_counter()
                with trace.part("queue"):
                    self._slots.take()
        except OverloadedError:
            message = f"Too many requests for service {self._settings.service_name} (overloaded)"
            # A new connection may reach another replica; this one would come back here.
            refusal = error_answer(503, message, _RETRY_SOON, close=True)
            raise _RefusedError("overloaded", refusal) from None
        self._metrics.queue_seconds.observe(time.perf_counter() - began)

        def score() -> Answer:
            with self._metrics.run_seconds.time(), trace.part("run"):
                return scoring.score(call, self._settings.front_end)

        return self._calls.answer(score)

    def _authorize(self, request: Request) -> None:
        if self._authorization is None:
            return
        try:
            why = self._authorization.refusal(request.headers.get("authorization"))
        except IssuerUnknownError:
            # Not 401: the client's token may be good.
            refusal = error_answer(503, "No token can be checked yet.", _RETRY_SOON, close=True)
            raise _RefusedError("issuer", refusal) from None
        if why:
            reason = "token" if self._settings.asks_for_token else "key"
            raise _RefusedError(reason, error_answer(401, why, ("WWW-Authenticate", "Bearer")))

    def _call(self, script: EntryScript, request: Request) -> Callable[[], Any]:
        try:
            return script.call(request, request.read_body())
        except BodyTooLargeError:
            raise self._too_large(self._settings.body_limit) from None
        except BodyUnreadableError:
            answer = error_answer(400, "The request's body did not arrive completely.", close=True)
            raise _RefusedError("body", answer) from None
        except InputError as error:
            raise _RefusedError("body", error_answer(error.status, str(error))) from None

    def _too_large(self, limit: int | None) -> _RefusedError:
        answer = error_answer(
            413, f"The request's body is larger than the limit of {limit} bytes.", close=True
        )
        return _RefusedError("size", answer)


def _authorization(settings: Settings) -> Authorization | None:
    """Return who knows whether a request may score; None where all may."""
    if settings.asks_for_token:
        # Only here: cryptography is memory that other services do not need.
        from gpu_inference_runtime.tokens import tokens

        return tokens(settings)
    return Keys(settings.keys_directory) if settings.keys_directory else None
