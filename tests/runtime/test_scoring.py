"""The scoring core: what results become, and how failures of run() are told."""

import dataclasses
import json
import sys
from typing import Any

import flask
import numpy as np
import pytest
from tests.runtime.answers import content
from tests.runtime.test_results import circle, well

from gpu_inference_script.inputs import InputError
from gpu_inference_script.scoring import INTERNAL_ERROR, input_refused, score, timeout_response


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


def test_a_result_that_v1_could_not_write_is_answered_too() -> None:
    answer = score(lambda: {"digit": np.int64(7)}, "none")
    assert (answer.status, answer.body) == (200, b'{"digit": 7}')


@pytest.mark.parametrize("result", [object(), circle(), well()], ids=["no form", "circle", "deep"])
@pytest.mark.parametrize(("front_end", "status"), [("azureml", 502), ("none", 500)])
def test_a_result_without_json_form_is_an_internal_error(
    result: Any, front_end: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    answer = score(lambda: result, front_end)
    assert answer.status == status
    assert content(answer) == {
        "message": "An unexpected internal error occurred. Check the logs for more info."
    }
    assert dict(answer.headers) == {"x-ms-run-function-failed": "False"}
    assert f"run() returned a {type(result).__name__} that has no JSON form" in caplog.text


@dataclasses.dataclass
class Leaving:
    x: int = 1

    def __getattribute__(self, name: str) -> Any:
        return sys.exit(1) if name == "x" else super().__getattribute__(name)


def test_a_result_whose_conversion_leaves_is_an_internal_error() -> None:
    assert score(Leaving, "none").status == 500


def test_a_response_is_answered_whole_and_says_how_long_run_took() -> None:
    answer = score(lambda: flask.Response("teapot", 418, {"X-Kind": "pot"}), "azureml")
    assert (answer.status, answer.body) == (418, b"teapot")
    assert list(dict(answer.headers)) == ["X-Kind", "x-ms-run-fn-exec-ms"]


def test_a_response_whose_parts_are_no_text_is_an_internal_error() -> None:
    answer = score(lambda: flask.Response([1, 2]), "none")  # type: ignore[arg-type]
    assert (answer.status, dict(answer.headers)) == (500, {"x-ms-run-function-failed": "False"})


def fail(_: str) -> None:
    raise ValueError("a secret of the script")


def leave(_: str) -> None:
    sys.exit(1)


def interrupt(_: str) -> None:
    raise KeyboardInterrupt


def recurse(text: str) -> None:
    recurse(text)


def exhaust(_: str) -> None:
    raise MemoryError


def abort(_: str) -> None:
    flask.abort(404, "a secret of the script")


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def fail_without_words(_: str) -> None:
    raise SilentError


@pytest.mark.parametrize(
    "run", [json.loads, fail, leave, interrupt, recurse, exhaust, abort, fail_without_words]
)
@pytest.mark.parametrize(("front_end", "status"), [("azureml", 502), ("none", 500)])
def test_what_a_script_raises_is_logged_but_not_answered(
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


def test_a_clients_error_is_told_and_its_data_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def run() -> None:
        raise ValueError("could not convert 'a secret of the client'")

    answer = score(run, "azureml", lambda error: f"Wrong: {type(error).__name__}")
    assert (answer.status, content(answer)) == (400, {"message": "Wrong: ValueError"})
    assert dict(answer.headers) == {"x-ms-run-function-failed": "False"}
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_the_bare_server_tells_such_an_error_as_v1s_did() -> None:
    answer = score(lambda: fail(""), "none", lambda _: "Wrong")
    assert (answer.status, dict(answer.headers)) == (500, {"x-ms-run-function-failed": "True"})


def test_an_error_of_the_script_is_not_told_as_the_clients() -> None:
    assert score(lambda: fail(""), "azureml", lambda _: None).status == 502


@pytest.mark.parametrize(
    ("handled_by_v1", "front_end", "status", "message"),
    [
        (True, "none", 415, "the reason"),
        (True, "azureml", 415, "the reason"),
        (False, "azureml", 415, "the reason"),
        (False, "none", 500, INTERNAL_ERROR),
    ],
)
def test_bad_input_is_refused_by_name_except_as_v1_failed(
    handled_by_v1: bool, front_end: Any, status: int, message: str
) -> None:
    answer = input_refused(InputError(415, "the reason", handled_by_v1=handled_by_v1), front_end)
    assert (answer.status, content(answer)) == (status, {"message": message})
    assert dict(answer.headers) == {"x-ms-run-function-failed": "False"}


@pytest.mark.parametrize(("front_end", "status"), [("azureml", 504), ("none", 500)])
def test_a_timeout_names_its_limit(front_end: Any, status: int) -> None:
    answer = timeout_response(1000, front_end)
    assert (answer.status, content(answer)) == (status, {"message": "Scoring timeout after 1000 ms"})
    assert dict(answer.headers) == {"x-ms-run-function-failed": "True"}
