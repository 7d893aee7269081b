"""The scoring core: what results become, and how failures of run() are told."""

import json
import sys
from typing import Any

import numpy as np
import pytest
from tests.runtime.answers import content

from gpu_inference_runtime.scoring import score, timeout_answer


@pytest.mark.parametrize(
    ("result", "body"),
    [
        ("abc", b'"abc"'),
        ('{"a": 1}', b'"{\\"a\\": 1}"'),
        ("ü", b'"\\u00fc"'),
        ([7, 2], b"[7, 2]"),
        ((1, 2), b"[1, 2]"),
        ({"a": None}, b'{"a": null}'),
        (True, b"true"),
        (None, b"{}"),
        (np.float64(0.5), b"0.5"),
        (float("nan"), b"NaN"),
    ],
)
def test_a_result_is_answered_as_json(result: Any, body: bytes) -> None:
    answer = score(lambda: result, "azureml")
    assert (answer.status, answer.body, answer.content_type) == (200, body, "application/json")
    headers = dict(answer.headers)
    assert headers["x-ms-run-function-failed"] == "False"
    assert float(headers["x-ms-run-fn-exec-ms"]) >= 0


class Circle:
    """A list that holds itself."""

    def __new__(cls) -> Any:
        circle: list[Any] = []
        circle.append(circle)
        return circle


@pytest.mark.parametrize(
    "result", [np.int64(1), np.zeros(2), b"bytes", {1}, Circle()], ids=lambda r: type(r).__name__
)
@pytest.mark.parametrize(("front_end", "status"), [("azureml", 502), ("none", 500)])
def test_a_result_without_json_form_is_an_internal_error(result: Any, front_end: Any, status: int) -> None:
    answer = score(lambda: result, front_end)
    assert answer.status == status
    assert content(answer) == {
        "message": "An unexpected internal error occurred. Check the logs for more info."
    }
    assert dict(answer.headers) == {"x-ms-run-function-failed": "False"}


def fail(_: str) -> None:
    raise ValueError("a secret of the script")


def leave(_: str) -> None:
    sys.exit(1)


@pytest.mark.parametrize("run", [json.loads, fail, leave])
@pytest.mark.parametrize(("front_end", "status"), [("azureml", 502), ("none", 500)])
def test_a_script_that_raises_is_answered_without_its_words_and_logged_with_them(
    run: Any, front_end: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    answer = score(lambda: run("not json"), front_end)
    assert answer.status == status
    assert content(answer) == {
        "message": "An unexpected error occurred in scoring script. Check the logs for more info."
    }
    assert dict(answer.headers) == {"x-ms-run-function-failed": "True"}
    [record] = caplog.records
    assert record.exc_info is not None


@pytest.mark.parametrize(("front_end", "status"), [("azureml", 504), ("none", 500)])
def test_a_timeout_names_its_limit(front_end: Any, status: int) -> None:
    answer = timeout_answer(1000, front_end)
    assert (answer.status, content(answer)) == (status, {"message": "Scoring timeout after 1000 ms"})
    assert dict(answer.headers) == {"x-ms-run-function-failed": "True"}
