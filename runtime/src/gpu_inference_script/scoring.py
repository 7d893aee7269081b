"""Calls `run()` and turns whatever comes of it into an answer.

Plain functions, with no HTTP library and no thread in them: any front end, and any test, can call them.
"""

import logging
import time
from typing import Any, Callable, Optional

from gpu_inference_script import results
from gpu_inference_script.arrays import binary_form
from gpu_inference_script.failure_hints import missing_module
from gpu_inference_script.inputs import InputError
from gpu_inference_script.messages import RUN_FAILED, Answer, error_answer
from gpu_inference_script.responses import is_response, response_answer

SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."

_SUCCEEDED = (RUN_FAILED, "False")
# What most scripts return: certainly no response.
_CONTENT = frozenset({str, list, dict, tuple, float, int, bool, type(None)})

log = logging.getLogger("gpu_inference")


def _nobodys_fault(error: BaseException) -> "Optional[str]":  # noqa: ARG001
    return None


def score(
    call: "Callable[[], Any]",
    front_end: str,
    client_fault: "Callable[[BaseException], Optional[str]]" = _nobodys_fault,
    timeout_ms: "Optional[int]" = None,
    media_type: "Optional[str]" = None,
) -> Answer:
    """Make the call of `run()` and return the answer; nothing that the script does makes this raise.

    Its result is encoded here, right after the call: the script may change the object in its next call.

    Args:
        call: makes it; returns what `run()` returns.
        front_end: whose answers to give.
        client_fault: returns what the client did wrong, where an error of the call comes from that.
        timeout_ms: the scoring timeout, if there is one.
        media_type: in which the client wants an array, instead of JSON; see arrays.accepted.
    """
    began = time.perf_counter()
    try:
        result = call()
    # SystemExit and KeyboardInterrupt included: the request has failed, the service has not.
    except BaseException as error:
        return _failed(error, front_end, client_fault, timeout_ms)
    spent = ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - began) * 1000:.3f}")
    try:
        if type(result) not in _CONTENT and is_response(result):
            return response_answer(result, front_end, spent)
        binary = binary_form(result, media_type)
        if binary is not None:
            return Answer(200, binary[0], (_SUCCEEDED, spent), binary[1])
        return Answer(200, results.encode(result), (_SUCCEEDED, spent))
    # Whatever it is: converting an object runs code of the script's too.
    except BaseException:
        log.exception("run() returned a %s that has no JSON form", type(result).__name__)
        return error_answer(_failure_status(front_end), INTERNAL_ERROR)


def _failed(
    error: BaseException,
    front_end: str,
    client_fault: "Callable[[BaseException], Optional[str]]",
    timeout_ms: "Optional[int]",
) -> Answer:
    """Return the answer to a request whose call of `run()` has raised this; called while it is handled."""
    fault = client_fault(error) if front_end == "azureml" else None
    if fault:
        # Not the traceback, whose last line often quotes the body.
        log.warning("The request was not what run() takes: %s", type(error).__name__)
        return error_answer(400, fault)
    log.exception("Encountered Exception in run()")
    missing = missing_module(error)
    if missing:
        log.error("%s", missing)
    if isinstance(error, TimeoutError) and front_end == "none" and timeout_ms is not None:
        # v1's server could not tell such an error of the script's from its own.
        return timeout_answer(timeout_ms, front_end)
    return failure_answer(front_end)


def failure_answer(front_end: str) -> Answer:
    """Return the answer to a request that the script has failed at."""
    return error_answer(_failure_status(front_end), SCRIPT_FAILED, run_failed=True)


def refused_input(error: InputError, front_end: str) -> Answer:
    """Return the answer to a request whose body or parameters cannot be given to `run()`."""
    if front_end == "azureml" or error.foreseen:
        return error_answer(error.status, str(error))
    return error_answer(500, INTERNAL_ERROR)


def timeout_answer(timeout_ms: int, front_end: str) -> Answer:
    """Return the answer to a request whose `run()` took too long."""
    status = 504 if front_end == "azureml" else 500
    return error_answer(status, f"Scoring timeout after {timeout_ms} ms", run_failed=True)


def _failure_status(front_end: str) -> int:
    # What clients saw of a failing script: azureml-fe turned the server's own 500 into 502.
    return 502 if front_end == "azureml" else 500
