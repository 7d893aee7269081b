"""Calls `run()` and turns whatever comes of it into an answer.

Plain functions, with no HTTP library and no thread in them: any front end, and any test, can call them.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from gpu_inference_runtime.messages import RUN_FAILED, Answer, error_answer, json_answer
from gpu_inference_runtime.settings import FrontEnd

SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL_ERROR = "An unexpected internal error occurred. Check the logs for more info."

log = logging.getLogger("gpu_inference")


def score(call: Callable[[], Any], front_end: FrontEnd) -> Answer:
    """Make the call of `run()` and return the answer; nothing that the script does makes this raise.

    Its result is encoded here, right after the call: the script may change the object in its next call.
    """
    # What clients saw of a failing script: azureml-fe turned the server's own 500 into 502.
    failure_status = 502 if front_end == "azureml" else 500
    began = time.perf_counter()
    try:
        result = call()
    # SystemExit and KeyboardInterrupt included: the request has failed, the service has not.
    except BaseException:
        log.exception("Encountered Exception in run()")
        return error_answer(failure_status, SCRIPT_FAILED, run_failed=True)
    spent = ("x-ms-run-fn-exec-ms", _milliseconds(began))
    try:
        return json_answer(200, {} if result is None else result, (RUN_FAILED, "False"), spent)
    except Exception:
        log.exception("run() returned a %s that has no JSON form", type(result).__name__)
        return error_answer(failure_status, INTERNAL_ERROR)


def timeout_answer(timeout_ms: int, front_end: FrontEnd) -> Answer:
    """Return the answer to a request whose `run()` took too long."""
    status = 504 if front_end == "azureml" else 500
    return error_answer(status, f"Scoring timeout after {timeout_ms} ms", run_failed=True)


def _milliseconds(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.3f}"
