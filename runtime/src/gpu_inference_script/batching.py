"""Scores the requests that wait by as few calls of `run()` as possible.

A script need not know of it: where the result is not one entry for each row, or the call fails, each request
of the batch is scored alone, as if there were no batching.
"""

import logging
import time
from typing import Any, Callable, List, Optional, Tuple, TypeVar

from gpu_inference_script import batch_results, results, scoring
from gpu_inference_script.arrays import binary_form
from gpu_inference_script.batch_modes import Member, Mode, UnfitError, mode_of
from gpu_inference_script.config import Config
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.inputs import InputError
from gpu_inference_script.messages import RUN_FAILED, Answer
from gpu_inference_script.request import Request
from gpu_inference_script.responses import is_response

T = TypeVar("T")
ScoreOne = Callable[[Any], Answer]
InScript = Callable[[Callable[[], Any]], Any]

_SUCCEEDED = (RUN_FAILED, "False")
# After so many batches in a row whose requests could only be scored alone, no more are tried.
_MOST_STRIKES = 3
# Batches whose answers are compared with those of single calls, where all their requests are the same.
_MOST_COMPARED = 3

log = logging.getLogger("gpu_inference")


def _just_call(function: Callable[[], T]) -> T:
    return function()


def make_batcher(
    script: EntryScript, config: Config, score_one: ScoreOne, in_script: InScript = _just_call
) -> "Optional[Batcher]":
    """Return what scores several requests at once; None where each is to be scored alone.

    Args:
        script: the loaded script.
        config: `batching`, its limits, `array_dtype`, and whose answers clients get.
        score_one: scores a single request.
        in_script: calls a function of the script's, within the time limit of the batch.

    Raises:
        UnfitError: the script cannot be called as `array` calls it.
    """
    if config.batching == "none":
        return None
    try:
        mode = mode_of(script, config.batching, config.array_dtype)
    except UnfitError as error:
        if config.batching == "array":
            raise
        log.warning("Batching is %r, but %s: each request is scored alone", config.batching, error)
        return None
    return Batcher(script, config, score_one, in_script, mode)


class _Waiting:
    """A request of a batch, its place among the answers, and what it brings into the batch."""

    __slots__ = ("member", "number", "request")

    def __init__(self, number: int, request: Any, member: Optional[Member]) -> None:
        self.number = number
        self.request = request
        self.member = member


class _ApartError(Exception):
    """A batch cannot be scored together; the text says why."""


class Batcher:
    """Scores requests, in batches where that is possible. See make_batcher."""

    def __init__(
        self, script: EntryScript, config: Config, score_one: ScoreOne, in_script: InScript, mode: Mode
    ) -> None:
        self._script = script
        self._config = config
        self._score_one = score_one
        self._in_script = in_script
        self._mode = mode
        # Of a script that was not written for batches, the first ones are compared with single calls.
        self._is_proven = mode.is_contract
        # For v1's scripts, answers are what json.dumps writes, byte for byte.
        self._write = batch_results.number_writer() if mode.is_contract else results.encode
        self._compared = 0
        self._strikes = 0
        self._stopped = False
        self._told = False

    def __call__(self, requests: "List[Any]") -> List[Answer]:
        """Return the answer to each of the requests, in their order."""
        if len(requests) == 1 and not self._mode.is_contract:
            return [self._score_one(requests[0])]
        answers: "List[Optional[Answer]]" = [None] * len(requests)
        for batch in self._batches(requests, answers):
            for waiting, answer in zip(batch, self._answers(batch)):
                answers[waiting.number] = answer
        return [answer for answer in answers if answer is not None]

    # From requests to batches

    def _batches(self, requests: "List[Any]", answers: List[Optional[Answer]]) -> "List[List[_Waiting]]":
        """Return the requests in batches; those that cannot be scored get their answers."""
        batches: "List[List[_Waiting]]" = []
        open_ones: "dict[Any, Tuple[List[_Waiting], int, int]]" = {}
        for number, request in enumerate(requests):
            try:
                member = None if self._stopped and not self._mode.is_contract else self._mode.member(request)
            except InputError as error:
                answers[number] = self._refused(request, error)
                continue
            except Exception as error:
                # Memory has run out, perhaps.
                answers[number] = self._failed(error)
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

    def _refused(self, request: Request, error: InputError) -> Answer:
        if hasattr(request, "refused"):
            request.refused = True
        return scoring.refused_input(error, self._config.front_end)

    # From batches to answers

    def _answers(self, batch: List[_Waiting]) -> List[Answer]:
        members = [waiting.member for waiting in batch if waiting.member is not None]
        if len(batch) == 1 and not (members and self._mode.is_contract):
            return [self._score_one(batch[0].request)]
        failure: "Optional[_ApartError]" = None
        try:
            answers = self._together(members)
        except _ApartError as error:
            failure = error
        # Not where it is handled: tracebacks of single calls would tell of it.
        if failure is not None:
            return self._apart(batch, failure)
        if self._is_proven:
            self._strikes = 0
            return answers
        return self._proved(batch, answers)

    def _together(self, members: List[Member]) -> List[Answer]:
        """Return the answers by one call of `run()`.

        Raises:
            _ApartError: there are none; each request has to be scored alone.
        """
        run, finished = self._script.run, self._script.loop.finished
        try:
            arguments = {self._mode.parameter: self._mode.argument(members)}
            began = time.perf_counter()
            result = self._in_script(lambda: finished(run(**arguments)))
        # SystemExit and KeyboardInterrupt included.
        except BaseException as error:
            # The time is over for all, or there is nobody else to blame.
            if isinstance(error, TimeoutError) or len(members) == 1:
                return [self._failed(error)] * len(members)
            raise _ApartError(f"run() raised {type(error).__name__}") from error
        spent = ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - began) * 1000:.3f}")
        parts = batch_results.parts(result, [member.rows for member in members])
        if parts is None:
            if len(members) == 1:
                return [self._without_rows(result, members[0])]
            total = sum(member.rows for member in members)
            raise _ApartError(
                f"run() returned a {type(result).__name__}, not one entry for each of {total} rows"
            )
        try:
            return self._encoded(members, result, parts, spent)
        # Whatever it is: converting an object runs code of the script's too.
        except BaseException as error:
            if len(members) == 1:
                return [scoring.score(lambda: result, self._config.front_end)]
            raise _ApartError(f"run() returned a {type(result).__name__} that has no JSON form") from error

    def _encoded(
        self, members: List[Member], result: Any, parts: List[Any], spent: Tuple[str, str]
    ) -> List[Answer]:
        headers = (_SUCCEEDED, spent)
        wanted = any(member.wanted for member in members)
        array = batch_results.as_array(result) if wanted else None
        answers, begin = [], 0
        for member, part in zip(members, parts):
            end = begin + member.rows
            binary = None if array is None else binary_form(array[begin:end], member.wanted)
            if binary is None:
                answers.append(Answer(200, self._write(part), headers))
            else:
                answers.append(Answer(200, binary[0], headers, binary[1]))
            begin = end
        return answers

    def _failed(self, error: BaseException) -> Answer:
        def again() -> None:
            raise error

        return scoring.score(again, self._config.front_end, timeout_ms=self._config.scoring_timeout_ms)

    def _without_rows(self, result: Any, member: Member) -> Answer:
        """Return the answer where a script that was written for batches returned anything but rows."""
        if is_response(result):
            return scoring.score(lambda: result, self._config.front_end)
        log.error(
            "run() returned a %s, not one entry for each of %d rows", type(result).__name__, member.rows
        )
        return scoring.failure_answer(self._config.front_end)

    # Where it does not work

    def _alone(self, batch: List[_Waiting]) -> List[Answer]:
        if not self._mode.is_contract:
            return [self._score_one(waiting.request) for waiting in batch]
        return [self._together([waiting.member])[0] for waiting in batch if waiting.member is not None]

    def _apart(self, batch: List[_Waiting], error: _ApartError) -> List[Answer]:
        """Score each request alone, so that a bad one fails alone."""
        if not self._told:
            self._told = True
            log.warning(
                "%d requests could not be scored by one call, and are scored one by one: %s. "
                "This is told once.",
                len(batch),
                error,
                exc_info=error.__cause__,
            )
        answers = self._alone(batch)
        # A request that fails alone too was the reason.
        if all(answer.status < 400 for answer in answers) and not self._mode.becomes_careful():
            self._strike()
        return answers

    def _strike(self) -> None:
        self._strikes += 1
        if self._strikes == _MOST_STRIKES:
            self._stopped = True
            log.warning(
                "From now on each request is scored alone: batches have failed %d times", self._strikes
            )

    def _proved(self, batch: List[_Waiting], answers: List[Answer]) -> List[Answer]:
        """Return the answers of single calls, and find out whether those of one call say the same."""
        alone = self._alone(batch)
        if not all(map(batch_results.alike, answers, alone)):
            if not self._told:
                self._told = True
                log.warning(
                    "One call for %d requests gives other answers than single calls: they are scored alone. "
                    "This is told once.",
                    len(batch),
                )
            self._strike()
            return alone
        self._strikes = 0
        self._compared += 1
        # Where all are the same, mixed-up rows would not show.
        differ = any(answer.body != alone[0].body for answer in alone)
        self._is_proven = differ or self._compared == _MOST_COMPARED
        return alone
