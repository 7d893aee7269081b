"""Batching: scores the waiting requests with as few calls of `run()` as possible.

Scripts need not be written for it: if the result does not have one entry per row, or the call fails, each
request of the batch is scored alone, as without batching.
"""

import logging
import time
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from gpu_inference_script import batch_results, results, scoring
from gpu_inference_script.arrays import binary_form
from gpu_inference_script.batch_modes import Member, Mode, UnsupportedScriptError, mode_of
from gpu_inference_script.config import Config
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.flask_responses import is_response
from gpu_inference_script.inputs import InputError
from gpu_inference_script.request import Request
from gpu_inference_script.response import RUN_FAILED, Response

T = TypeVar("T")
ScoreOne = Callable[[Any], Response]
InScript = Callable[[Callable[[], Any]], Any]

_SUCCEEDED = (RUN_FAILED, "False")
# After this many failed batches in a row, batching stops.
_MAX_FAILURES = 3
# If all requests of the batches are the same, this many are compared with single calls.
_MAX_COMPARED = 3

log = logging.getLogger("gpu_inference")


def _just_call(function: Callable[[], T]) -> T:
    return function()


def make_batcher(
    script: EntryScript, config: Config, score_one: ScoreOne, in_script: InScript = _just_call
) -> "Optional[Batcher]":
    """Return a callable that scores several requests at once; None if batching is off or not possible.

    Args:
        script: the loaded script.
        config: the script's settings.
        score_one: scores a single request.
        in_script: runs a function of the script, within the batch's time limit.

    Raises:
        UnsupportedScriptError: the mode is `array`, and the script does not support it.
    """
    if config.batching == "none":
        return None
    try:
        mode = mode_of(script, config.batching, config.array_dtype)
    except UnsupportedScriptError as error:
        if config.batching == "array":
            raise
        log.warning("Batching is %r, but %s: each request is scored alone", config.batching, error)
        return None
    return Batcher(script, config, score_one, in_script, mode)


class _Waiting:
    """A request, its position among all requests, and its part of a batch (None to score it alone)."""

    __slots__ = ("member", "number", "request")

    def __init__(self, number: int, request: Any, member: Optional[Member]) -> None:
        self.number = number
        self.request = request
        self.member = member


class _BatchFailedError(Exception):
    """A batch could not be scored with one call; the text says why."""


class Batcher:
    """Scores requests, in batches where possible. See make_batcher."""

    def __init__(
        self, script: EntryScript, config: Config, score_one: ScoreOne, in_script: InScript, mode: Mode
    ) -> None:
        self._script = script
        self._config = config
        self._score_one = score_one
        self._in_script = in_script
        self._mode = mode
        # If the script was not written for batches, the first batches are compared with single calls.
        self._is_verified = mode.requires_batches
        # Responses of v1's scripts must equal json.dumps, byte for byte.
        self._write = batch_results.number_writer() if mode.requires_batches else results.encode
        self._compared = 0
        self._failures = 0
        self._stopped = False
        self._warned = False

    def __call__(self, requests: "List[Any]") -> List[Response]:
        """Return the responses to the requests, in order."""
        if len(requests) == 1 and not self._mode.requires_batches:
            return [self._score_one(requests[0])]
        responses: "List[Optional[Response]]" = [None] * len(requests)
        for batch in self._batches(requests, responses):
            for waiting, response in zip(batch, self._responses(batch)):
                responses[waiting.number] = response
        return [response for response in responses if response is not None]

    # From requests to batches

    def _batches(self, requests: "List[Any]", responses: List[Optional[Response]]) -> "List[List[_Waiting]]":
        """Return the requests in batches; requests that cannot be scored get their responses."""
        batches: "List[List[_Waiting]]" = []
        open_ones: "dict[Any, Tuple[List[_Waiting], int, int]]" = {}
        for number, request in enumerate(requests):
            try:
                member = (
                    None if self._stopped and not self._mode.requires_batches else self._mode.member(request)
                )
            except InputError as error:
                responses[number] = self._refused(request, error)
                continue
            except Exception as error:
                # For example, there is no memory left.
                responses[number] = self._failed(error)
                continue
            waiting = _Waiting(number, request, member)
            if member is None or self._stopped:
                batches.append([waiting])
                continue
            batch, rows, size = open_ones.get(member.group, (None, 0, 0))
            rows, size = rows + member.rows, size + len(request.body)
            if batch is None or rows > self._config.batch_max_rows or size > self._config.batch_max_bytes:
                batch, rows, size = [], member.rows, len(request.body)
                batches.append(batch)
            batch.append(waiting)
            open_ones[member.group] = batch, rows, size
        return batches

    def _refused(self, request: Request, error: InputError) -> Response:
        if hasattr(request, "refused"):
            request.refused = True
        return scoring.input_refused(error, self._config.front_end)

    # From batches to responses

    def _responses(self, batch: List[_Waiting]) -> List[Response]:
        members = [waiting.member for waiting in batch if waiting.member is not None]
        if len(batch) == 1 and not (members and self._mode.requires_batches):
            return [self._score_one(batch[0].request)]
        failure: "Optional[_BatchFailedError]" = None
        try:
            responses = self._score_batch(members)
        except _BatchFailedError as error:
            failure = error
        # Outside the except block: otherwise tracebacks of single calls would include this failure.
        if failure is not None:
            return self._fall_back(batch, failure)
        if self._is_verified:
            self._failures = 0
            return responses
        return self._verify(batch, responses)

    def _score_batch(self, members: List[Member]) -> List[Response]:
        """Return the responses, made with one call of `run()`.

        Raises:
            _BatchFailedError: the requests must be scored alone.
        """
        run, resolve = self._script.run, self._script.loop.resolve
        try:
            arguments = {self._mode.parameter: self._mode.argument(members)}
            began = time.perf_counter()
            result = self._in_script(lambda: resolve(run(**arguments)))
        # Including SystemExit and KeyboardInterrupt.
        except BaseException as error:
            # A timeout ends all requests; and a single request has nothing to be separated from.
            if isinstance(error, TimeoutError) or len(members) == 1:
                return [self._failed(error)] * len(members)
            raise _BatchFailedError(f"run() raised {type(error).__name__}") from error
        spent = ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - began) * 1000:.3f}")
        parts = batch_results.parts(result, [member.rows for member in members])
        if parts is None:
            if len(members) == 1:
                return [self._without_rows(result, members[0])]
            total = sum(member.rows for member in members)
            raise _BatchFailedError(
                f"run() returned a {type(result).__name__}, not one entry for each of {total} rows"
            )
        try:
            return self._encoded(members, result, parts, spent)
        # Any exception: converting an object can run code of the script.
        except BaseException as error:
            if len(members) == 1:
                return [scoring.score(lambda: result, self._config.front_end)]
            raise _BatchFailedError(
                f"run() returned a {type(result).__name__} that has no JSON form"
            ) from error

    def _encoded(
        self, members: List[Member], result: Any, parts: List[Any], spent: Tuple[str, str]
    ) -> List[Response]:
        headers = (_SUCCEEDED, spent)
        wanted = any(member.wanted for member in members)
        array = batch_results.as_array(result) if wanted else None
        responses, begin = [], 0
        for member, part in zip(members, parts):
            end = begin + member.rows
            binary = None if array is None else binary_form(array[begin:end], member.wanted)
            if binary is None:
                responses.append(Response(200, self._write(part), headers))
            else:
                responses.append(Response(200, binary[0], headers, binary[1]))
            begin = end
        return responses

    def _failed(self, error: BaseException) -> Response:
        def again() -> None:
            raise error

        return scoring.score(again, self._config.front_end, timeout_ms=self._config.scoring_timeout_ms)

    def _without_rows(self, result: Any, member: Member) -> Response:
        """Return the response if a script written for batches did not return one row per row."""
        if is_response(result):
            return scoring.score(lambda: result, self._config.front_end)
        log.error(
            "run() returned a %s, not one entry for each of %d rows", type(result).__name__, member.rows
        )
        return scoring.failure_response(self._config.front_end)

    # Fallback to single calls

    def _score_singly(self, batch: List[_Waiting]) -> List[Response]:
        if not self._mode.requires_batches:
            return [self._score_one(waiting.request) for waiting in batch]
        return [self._score_batch([waiting.member])[0] for waiting in batch if waiting.member is not None]

    def _fall_back(self, batch: List[_Waiting], error: _BatchFailedError) -> List[Response]:
        """Score each request alone, so that only bad requests fail."""
        if not self._warned:
            self._warned = True
            log.warning(
                "%d requests could not be scored with one call, and are scored one by one: %s. "
                "This is logged only once.",
                len(batch),
                error,
                exc_info=error.__cause__,
            )
        responses = self._score_singly(batch)
        # If a request also fails alone, it was the reason.
        if all(response.status < 400 for response in responses) and not self._mode.become_stricter():
            self._count_failure()
        return responses

    def _count_failure(self) -> None:
        self._failures += 1
        if self._failures == _MAX_FAILURES:
            self._stopped = True
            log.warning(
                "From now on, each request is scored alone: batches have failed %d times", self._failures
            )

    def _verify(self, batch: List[_Waiting], responses: List[Response]) -> List[Response]:
        """Return the responses of single calls, and compare them with those of the batch."""
        alone = self._score_singly(batch)
        if not all(map(batch_results.alike, responses, alone)):
            if not self._warned:
                self._warned = True
                log.warning(
                    "One call for %d requests gives other results than single calls: they are scored alone. "
                    "This is logged only once.",
                    len(batch),
                )
            self._count_failure()
            return alone
        self._failures = 0
        self._compared += 1
        # If all responses are the same, mixed-up rows would go unnoticed.
        differ = any(response.body != alone[0].body for response in alone)
        self._is_verified = differ or self._compared == _MAX_COMPARED
        return alone
