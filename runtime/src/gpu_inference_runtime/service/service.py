"""The one way from a request to its answer: ids, key, size, queue, script, timeout, and all the counting.

Every front end (the Flask route now, an event loop later) calls `ScoringService.answer`.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from gpu_inference_runtime.access.access import Access
from gpu_inference_runtime.messages import (
    RUN_FAILED,
    Answer,
    BodyTooLargeError,
    BodyUnreadableError,
    Request,
    error_answer,
)
from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.observability.traces import Trace, Traces
from gpu_inference_runtime.process.state import State
from gpu_inference_runtime.script import scoring
from gpu_inference_runtime.script.entry_script import Call, EntryScript
from gpu_inference_runtime.script.inputs import InputError
from gpu_inference_runtime.script.script_thread import ScriptThread
from gpu_inference_runtime.service import refusals
from gpu_inference_runtime.service.calls import Calls
from gpu_inference_runtime.service.refusals import RefusedError
from gpu_inference_runtime.service.request_ids import RequestIds, answer_with_ids
from gpu_inference_runtime.service.slots import ClosedError, OverloadedError, Slots
from gpu_inference_runtime.service.swagger import Swagger
from gpu_inference_runtime.settings import Settings

# More than wait in practice within azureml-fe's 500 ms; few enough that each can have its own thread.
LONGEST_QUEUE = 64

log = logging.getLogger("gpu_inference")

# Of a script that is not known yet.
_METHODS = frozenset({"GET", "POST"})
_HTML = "text/html; charset=utf-8"


class ScoringService:
    """Answers requests. Safe to call from any number of threads; `run()` itself never overlaps."""

    def __init__(
        self,
        settings: Settings,
        script: ScriptThread,
        state: State,
        metrics: Metrics,
        traces: Traces,
        replace_process: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._traces = traces
        self._state = state
        self._metrics = metrics
        self._access = Access(settings)
        self._slots = Slots(settings.slots_per_worker, settings.queue_wait_seconds, LONGEST_QUEUE)
        self._script_thread = script
        self._calls = Calls(settings, script, self._slots, state, replace_process)
        # Set also when there will be none.
        self._script_known = threading.Event()
        self._script: EntryScript | None = None
        self._swagger: Swagger | None = None
        metrics.capacity_slots.set(self._slots.capacity)
        metrics.watch(metrics.busy_slots, lambda: self._slots.taken)
        metrics.watch(metrics.busy_slots_average, self._slots.average_taken)
        metrics.watch(metrics.queued_requests, lambda: self._slots.waiting)

    def start(self, script: EntryScript, swagger: Swagger) -> None:
        """Begin to score with the script, once its `init()` has ended."""
        self._script = script
        self._swagger = swagger
        self._state.ready = True
        self._script_known.set()

    def close(self) -> None:
        """Begin no call any more: whoever waits for a slot or for `init()` is told at once."""
        self._slots.close()
        self._calls.close()
        self._script_known.set()

    def answer(self, request: Request) -> Answer:
        """Return the answer to a scoring request, whatever happens to it; every answer is counted."""
        began = time.perf_counter()
        answer = self._with_ids(request, lambda ids: self._traced(request, ids))
        self._metrics.requests.labels(code=str(answer.status)).inc()
        self._metrics.request_seconds.observe(time.perf_counter() - began)
        return answer

    def health(self, request: Request) -> Answer:
        """Return `Healthy`, also while the service is busy, or `Starting` before it can score."""
        ready = self._state.ready
        body = b"Healthy" if ready else b"Starting"
        return self._with_ids(request, lambda _: Answer(200 if ready else 503, body, content_type=_HTML))

    def specification(self, request: Request) -> Answer:
        """Return the service's swagger.json, to those who may score."""
        return self._with_ids(request, lambda _: self._specification(request))

    def refusal(self, request: Request) -> Answer | None:
        """Return the answer to a request without the right key or token; None where it may pass."""
        try:
            self._access.check(request)
        except RefusedError as refused:
            return refused.answer
        return None

    def options(self, request: Request, methods: tuple[str, ...]) -> Answer:
        """Return the answer to OPTIONS for what is not scoring: the methods there are."""
        allow = ("Allow", ", ".join(methods))
        return self._with_ids(request, lambda _: Answer(200, b"", (allow,), _HTML))

    def _with_ids(self, request: Request, make: Callable[[RequestIds], Answer]) -> Answer:
        return answer_with_ids(request, self._settings.sends_server_version, make)

    def _traced(self, request: Request, ids: RequestIds) -> Answer:
        with self._traces.request(request, ids.request_id) as trace:
            try:
                answer = self._score(request, trace)
            except RefusedError as refused:
                self._metrics.refusals.labels(reason=refused.reason).inc()
                answer = refused.answer
            except Exception:
                log.exception("The server itself failed")
                answer = error_answer(500, scoring.INTERNAL_ERROR)
            trace.answered(answer.status)
        return answer

    def _specification(self, request: Request) -> Answer:
        try:
            self._access.check(request)
            if self._swagger is None:
                raise refusals.not_ready(self._settings.service_name)
        except RefusedError as refused:
            return refused.answer
        version = request.query.get("version")
        return self._swagger.answer(version[0] if version else None)

    def _score(self, request: Request, trace: Trace) -> Answer:
        script = self._script
        if request.method == "OPTIONS" and not self._runs_for_options(request, script):
            return Answer(200, b"", ((RUN_FAILED, "False"),), _HTML)
        if request.method not in (script.inputs.methods if script else _METHODS):
            raise refusals.method_not_allowed()
        self._access.check(request)
        limit = self._settings.body_limit
        if limit is not None and (request.content_length or 0) > limit:
            raise refusals.body_too_large(limit)
        try:
            with self._slots.place():
                script = script or self._script_in_time()
                call = self._call(script, request)
                began = time.perf_counter()
                with trace.part("queue"):
                    self._slots.take()
        except OverloadedError:
            raise refusals.overloaded(self._settings.service_name) from None
        except ClosedError:
            raise refusals.not_ready(self._settings.service_name) from None
        self._metrics.queue_seconds.observe(time.perf_counter() - began)

        def in_script() -> Any:
            return self._script_thread.in_script(call.make)

        def score() -> Answer:
            with self._metrics.run_seconds.time(), trace.part("run"):
                return scoring.score(
                    in_script,
                    self._settings.front_end,
                    call.client_fault,
                    self._settings.scoring_timeout_ms,
                )

        try:
            return self._calls.answer(score)
        except ClosedError:
            raise refusals.not_ready(self._settings.service_name) from None

    def _script_in_time(self) -> EntryScript:
        """Return the script once `init()` has ended; a request waits for that as long as for a slot."""
        self._script_known.wait(self._settings.queue_wait_seconds)
        if self._script is None:
            raise refusals.not_ready(self._settings.service_name)
        return self._script

    def _runs_for_options(self, request: Request, script: EntryScript | None) -> bool:
        """Whether `run()` gets this OPTIONS request: as in v1 where it is given every request.

        With the front end a browser's preflight, which cannot carry a key, is never refused for want of one,
        and `run()` is not called by those who may not score.
        """
        if script is None or "OPTIONS" not in script.inputs.methods:
            return False
        if self._settings.front_end == "none":
            return True
        preflight = "access-control-request-method" in request.headers
        return not (preflight and self._settings.cors_origins) and self._access.admits(request)

    def _call(self, script: EntryScript, request: Request) -> Call:
        try:
            return script.call(request, request.read_body())
        except BodyTooLargeError:
            raise refusals.body_too_large(self._settings.body_limit) from None
        except BodyUnreadableError:
            raise refusals.body_incomplete() from None
        except InputError as error:
            answer = scoring.refused_input(error, self._settings.front_end)
            raise refusals.body_unusable(answer) from None
