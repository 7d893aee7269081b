"""Calls `run()` and turns its result, or its failure, into a response.

These are plain functions without HTTP libraries or threads, so that anything, including a test, can call
them.
"""

import logging
import time
from typing import Any, Callable, Optional

from gpu_inference_script import results
from gpu_inference_script.arrays import binary_form
from gpu_inference_script.failure_hints import missing_module
from gpu_inference_script.flask_responses import from_flask, is_response
from gpu_inference_script.inputs import InputError
from gpu_inference_script.response import RUN_FAILED, Response, error_response

SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."

_SUCCEEDED = (RUN_FAILED, "False")
# Types that most scripts return, which are certainly not responses.
_CONTENT = frozenset({str, list, dict, tuple, float, int, bool, type(None)})

log = logging.getLogger("gpu_inference")


def _no_client_error(error: BaseException) -> "Optional[str]":  # noqa: ARG001
    return None


def score(
    call: "Callable[[], Any]",
    front_end: str,
    client_error: "Callable[[BaseException], Optional[str]]" = _no_client_error,
    timeout_ms: "Optional[int]" = None,
    media_type: "Optional[str]" = None,
) -> Response:
    """Call `run()` and return the response. This never raises, whatever the script does.

    The result is encoded right after the call, because the script may change the object in its next call.

    Args:
        call: calls `run()` and returns its result.
        front_end: `azureml` or `none`: whose responses to give.
        client_error: returns what the client did wrong if that caused an error of the call, else None.
        timeout_ms: the scoring timeout in milliseconds; None for no timeout.
        media_type: the media type in which the client wants an array; None for JSON. See arrays.accepted.
    """
    began = time.perf_counter()
    try:
        result = call()
    # Including SystemExit and KeyboardInterrupt: only the request fails, not the service.
    except BaseException as error:
        return _failed(error, front_end, client_error, timeout_ms)
    spent = ("x-ms-run-fn-exec-ms", f"{(time.perf_counter() - began) * 1000:.3f}")
    try:
        if type(result) not in _CONTENT and is_response(result):
            return from_flask(result, front_end, spent)
        binary = binary_form(result, media_type)
        if binary is not None:
            return Response(200, binary[0], (_SUCCEEDED, spent), binary[1])
        return Response(200, results.encode(result), (_SUCCEEDED, spent))
    # Any exception: converting an object can run code of the script.
    except BaseException:
        log.exception("run() returned a %s that has no JSON form", type(result).__name__)
        return error_response(_failure_status(front_end), INTERNAL_ERROR)


def _failed(
    error: BaseException,
    front_end: str,
    client_error: "Callable[[BaseException], Optional[str]]",
    timeout_ms: "Optional[int]",
) -> Response:
    """Return the response to a request whose call of `run()` raised an error; call it in the except block."""
    fault = client_error(error) if front_end == "azureml" else None
    if fault:
        # Without the traceback: its last line often quotes the body.
        log.warning("The request was not what run() takes: %s", type(error).__name__)
        return error_response(400, fault)
    log.exception("Encountered Exception in run()")
    missing = missing_module(error)
    if missing:
        log.error("%s", missing)
    if isinstance(error, TimeoutError) and front_end == "none" and timeout_ms is not None:
        # v1's server could not distinguish the script's own TimeoutError from that of the timeout.
        return timeout_response(timeout_ms, front_end)
    return failure_response(front_end)


def failure_response(front_end: str) -> Response:
    """Return the response to a request on which the script failed."""
    return error_response(_failure_status(front_end), SCRIPT_FAILED, run_failed=True)


def input_refused(error: InputError, front_end: str) -> Response:
    """Return the response to a request that is not what `run()` takes."""
    if front_end == "azureml" or error.handled_by_v1:
        return error_response(error.status, str(error))
    return error_response(500, INTERNAL_ERROR)


def timeout_response(timeout_ms: int, front_end: str) -> Response:
    """Return the response to a request whose `run()` took too long."""
    status = 504 if front_end == "azureml" else 500
    return error_response(status, f"Scoring timeout after {timeout_ms} ms", run_failed=True)


def _failure_status(front_end: str) -> int:
    # azureml-fe turned the server's 500 for a failing script into 502.
    return 502 if front_end == "azureml" else 500
