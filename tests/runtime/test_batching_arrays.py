import io
import json
import sys
from collections.abc import Callable
from typing import Any

import flask
import numpy as np
import pytest
from tests.runtime.batches import (
    NPY,
    TENSOR,
    Refusable,
    Script,
    body,
    data,
    npy,
    post,
    statuses,
)

from gpu_inference_script.request import Request

# schema

PAIR = np.zeros((1, 2), "f4")


def schema_script(function: Callable[[Any], Any], sample: Any = PAIR, **options: Any) -> Script:
    return Script(function, "schema", sample=sample, **options)


def by_row(array: Any) -> Any:
    return array.sum(axis=1)


def proven_schema(function: Callable[[Any], Any] = by_row, **options: Any) -> Script:
    return schema_script(function, **options).prove(data([1, 2.5]), data([3, 4], [5, 6]))


def test_schema_several_requests_become_one_array() -> None:
    script = proven_schema()
    answers = script(data([1, 2.5]), data([3, 4], [5, 6]), data([7, 8]))
    assert [(array.dtype, array.tolist()) for array in script.got] == [
        (np.dtype("f4"), [[1, 2.5], [3, 4], [5, 6], [7, 8]])
    ]
    assert [answer.body for answer in answers] == [b"[3.5]", b"[7.0, 11.0]", b"[15.0]"]
    assert not script.alone


def test_schema_a_request_that_does_not_fit_is_told_so_alone() -> None:
    script = proven_schema()
    bad = [
        data([1, 2, 3]),
        post({"other": 1}),
        post(b"{"),
        post({"data": [[1, 2]]}, "text/plain"),
        data(["a", "b"]),
    ]
    answers = script(data([1, 2.5]), *bad, data([3, 4]))
    assert statuses(answers) == [200, 400, 400, 400, 415, 400, 200]
    assert script.alone == bad
    assert [array.tolist() for array in script.got] == [[[1, 2.5], [3, 4]]]
    assert "does not match the schema" in body(answers[1])["message"]


def test_schema_get_and_other_members_are_as_ever() -> None:
    script = proven_schema()
    get, more = Request("GET", "/score?data=[[1,2.5]]"), post({"data": [[3, 4]], "more": 1})
    assert [body(answer) for answer in script(get, more, data([5, 6]))] == [[3.5], [7.0], [11.0]]
    assert script.alone == [get]
    assert len(script.got) == 2


def test_schema_arrays_of_other_shapes_make_batches_of_their_own() -> None:
    script = schema_script(by_row, schema={"enforce_shape": False, "enforce_column_type": False})
    mixed = data([1.5, 2]), data([1.5, 2, 3]), data([5.5, 6]), data([4.5, 5, 6]), data([1, 2]), data([3, 4])
    script(*mixed)
    answers = script(*mixed)
    assert [array.shape for array in script.got] == [(2, 2), (2, 3), (2, 2)]
    assert [answer.body for answer in answers] == [b"[3.5]", b"[6.5]", b"[11.5]", b"[15.5]", b"[3]", b"[7]"]


def test_schema_a_structured_sample_is_stacked_too() -> None:
    sample = np.array([("a", 1.5)], [("name", "U8"), ("value", "f8")])
    script = schema_script(lambda array: [f"{row['name']}{row['value']}" for row in array], sample)
    requests = data({"name": "a", "value": 1}), data({"name": "b", "value": 2}, ["c", 3])
    script(*requests)
    assert [body(answer) for answer in script(*requests)] == [["a1.0"], ["b2.0", "c3.0"]]
    assert len(script.got) == 1


def test_schema_a_script_with_dependent_rows_is_called_singly() -> None:
    script = schema_script(lambda array: array / array.max())
    for _ in range(4):
        answers = script(data([1, 2]), data([4, 8]))
        assert [body(answer) for answer in answers] == [[[0.5, 1.0]], [[0.5, 1.0]]]
    assert len(script.got) == 2


def test_schema_a_bad_request_fails_alone() -> None:
    def function(array: Any) -> Any:
        if (array < 0).any():
            raise ValueError("negative")
        return array.sum(axis=1)

    assert statuses(proven_schema(function)(data([1, 2]), data([-1, 2]), data([5, 6]))) == [200, 502, 200]


def test_schema_binary_bodies_and_answers_are_part_of_the_batch() -> None:
    script = proven_schema(lambda array: array * 2)
    binary = post(npy(np.array([[3.0, 4]])), NPY, ("Accept", NPY))
    answers = script(
        data([1, 2.5]),
        binary,
        post(np.array([[5, 6]], "<f4").tobytes(), f"{TENSOR}; dtype=float32; shape=1x2"),
    )
    assert len(script.got) == 1
    assert (body(answers[0]), body(answers[2])) == ([[2.0, 5.0]], [[10.0, 12.0]])
    assert answers[1].content_type == NPY
    assert isinstance(answers[1].body, bytes)
    assert np.load(io.BytesIO(answers[1].body)).tolist() == [[6, 8]]


def test_schema_a_binary_body_that_does_not_fit_is_refused() -> None:
    script = proven_schema()
    refused = post(npy(np.zeros((2, 3))), NPY)
    answers = script(data([1, 2]), refused, data([3, 4]))
    assert statuses(answers) == [200, 400, 200]
    assert body(answers[1]) == {
        "message": "The 'data' parameter takes an array of nx2, but the body has 2x3."
    }
    assert refused.refused


# array


def array_script(function: Callable[[Any], Any] = by_row, **options: Any) -> Script:
    return Script(function, "array", **options)


def test_array_run_gets_the_rows_of_all_in_one_array() -> None:
    script = array_script()
    tensor = post(np.array([[9, 1]], "<f4").tobytes(), f"{TENSOR}; dtype=float32; shape=1x2")
    answers = script(data([1, 2.5]), post([[3, 4], [5, 6]]), post(npy(np.array([[7.0, 8]])), NPY), tensor)
    (array,) = script.got
    assert (array.dtype, array.tolist()) == (np.dtype("f4"), [[1, 2.5], [3, 4], [5, 6], [7, 8], [9, 1]])
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert [body(answer) for answer in answers] == [[3.5], [7.0, 11.0], [15.0], [10.0]]
    assert [answer.headers[0] for answer in answers] == [("x-ms-run-function-failed", "False")] * 4
    assert script.guarded == 1


def test_array_a_single_request_is_an_array_too() -> None:
    script = array_script(array_dtype="uint8")
    assert [body(answer) for answer in script(data([1, 2]))] == [[3]]
    assert (script.got[0].dtype, script.got[0].shape) == (np.dtype("u1"), (1, 2))


def test_array_the_array_is_the_scripts_to_keep() -> None:
    script = array_script(lambda array: array)
    request = post(npy(np.array([[1.5, 2]], "f4")), NPY)
    script(request)
    assert isinstance(request.body, memoryview)
    request.body[:] = bytes(len(request.body))
    assert script.got[0].tolist() == [[1.5, 2]]


def test_array_rows_of_other_shapes_make_calls_of_their_own() -> None:
    script = array_script()
    mixed = data([1, 2]), data([1, 2, 3]), data([5, 6]), data([4, 5, 6])
    assert [body(answer) for answer in script(*mixed)] == [[3.0], [6.0], [11.0], [15.0]]
    assert [array.shape for array in script.got] == [(2, 2), (2, 3)]


def test_array_a_malformed_body_is_its_clients_400() -> None:
    script = array_script()
    bad = [
        post(b"{"),
        post({"data": "x"}),
        post({"data": [[1], [1, 2]]}),
        post(b"xx", NPY),
        post({"a": 1, "b": 2}),
    ]
    get = Refusable("GET", "/score?data=[[1,2]]")
    answers = script(data([1, 2]), *bad, get, data([3, 4]))
    assert statuses(answers) == [200, *[400] * 5, 405, 200]
    assert all(
        body(answer)["message"].endswith(".") or "JSON" in body(answer)["message"] for answer in answers[1:-1]
    )
    assert all(request.refused for request in [*bad, get])
    assert len(script.got) == 1


def test_array_refusals_are_the_same_on_the_bare_server() -> None:
    assert statuses(array_script(front_end="none")(post(b"{"))) == [400]


def test_array_answers_come_in_the_form_that_each_client_accepts() -> None:
    script = array_script(lambda array: array * 2)
    rows = {"data": [[1, 2.5]]}
    answers = script(
        post(rows),
        post(rows, "application/json", ("Accept", NPY)),
        post(rows, "application/json", ("Accept", f"{TENSOR}, */*;q=0.1")),
        post(rows, "application/json", ("Accept", "*/*")),
    )
    assert [answer.content_type for answer in answers] == [
        "application/json",
        NPY,
        "application/x-tensor; dtype=float32; shape=1x2",
        "application/json",
    ]
    assert isinstance(answers[1].body, bytes)
    assert np.load(io.BytesIO(answers[1].body)).tolist() == [[2, 5]]
    assert answers[2].body == np.array([[2, 5]], "<f4").tobytes()
    assert body(answers[0]) == body(answers[3]) == [[2, 5]]


def test_array_a_list_of_numbers_comes_in_binary_too() -> None:
    script = array_script(lambda array: array.argmax(axis=1).tolist())
    (answer,) = script(post({"data": [[1, 2.5]]}, "application/json", ("Accept", NPY)))
    assert isinstance(answer.body, bytes)
    assert np.load(io.BytesIO(answer.body)).tolist() == [1]


def test_array_texts_stay_json_whatever_the_client_accepts() -> None:
    script = array_script(lambda array: ["cat"] * len(array))
    (answer,) = script(post({"data": [[1, 2.5]]}, "application/json", ("Accept", NPY)))
    assert (answer.content_type, answer.body) == ("application/json", b'["cat"]')


NUMBERS = [0.1, 1e-5, 1e16, 1e22, -0.0, 5e-324, 1.7976931348623157e308, 3.0, 123456789.5]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i8", "u8", "u1", "?"])
@pytest.mark.parametrize("without", [[], ["msgspec"]])
def test_array_answers_have_the_numbers_that_json_dumps_writes(
    dtype: str, without: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in without:
        monkeypatch.setitem(sys.modules, name, None)
    with np.errstate(all="ignore"):
        result = np.array(NUMBERS).astype(dtype)[None]
    (answer,) = array_script(lambda _: result)(data([1.5]))
    assert repr(body(answer)) == repr(json.loads(json.dumps(result.tolist())))


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (np.array([[np.nan, np.inf, 1.5]]), b"[[NaN, Infinity, 1.5]]"),
        ([[1.5, None]], b"[[1.5, null]]"),
        ([[1, {"b": "\u20ac"}]], b'[[1, {"b": "\\u20ac"}]]'),
        ([[1, np.float32(0.5)]], b"[[1, 0.5]]"),
        ([[1, {3}]], b"[[1,[3]]]"),
        ([[]], b"[[]]"),
        ([2**70], b"[1180591620717411303424]"),
    ],
)
def test_array_other_results_are_the_usual_json(result: Any, text: bytes) -> None:
    (answer,) = array_script(lambda _: result)(data([1.5]))
    assert answer.body == text


def test_array_without_one_entry_for_each_row_the_call_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    script = array_script(lambda array: array[:1])
    assert statuses(script(data([1, 2]), data([3, 4], [5, 6]))) == [200, 502]
    assert "run() returned a ndarray, not one entry for each of 2 rows" in caplog.text
    assert statuses(array_script(lambda _: object())(data([1, 2]))) == [502]
    assert statuses(array_script(lambda _: [object()])(data([1, 2]))) == [502]
    assert statuses(array_script(lambda _: None, front_end="none")(data([1, 2]))) == [500]


def test_array_a_response_of_the_scripts_is_sent_to_one_request() -> None:
    script = array_script(
        lambda array: flask.Response("teapot", 418) if len(array) == 1 else flask.Response("x")
    )
    answers = script(data([1, 2]), data([3, 4]))
    assert [(answer.status, answer.body) for answer in answers] == [(418, b"teapot")] * 2


def test_array_a_bad_request_fails_alone() -> None:
    def run(array: Any) -> Any:
        if np.isnan(array).any():
            raise ValueError("not a number")
        return array.sum(axis=1)

    script = array_script(run)
    for _ in range(5):
        assert statuses(script(data([1, 2]), data([float("nan"), 2]), data([5, 6]))) == [200, 502, 200]
        assert len(script.got) == 4
    assert not script.alone, "there is no other way to call it than with an array"


def test_array_a_model_of_one_row_is_soon_called_singly() -> None:
    def run(array: Any) -> Any:
        (row,) = array
        return [float(row.sum())]

    script = array_script(run)
    calls = []
    for _ in range(5):
        assert [body(answer) for answer in script(data([1, 2]), data([3, 4]))] == [[3.0], [7.0]]
        calls.append(len(script.got))
    assert calls == [3, 3, 3, 2, 2]


def test_array_a_timeout_ends_the_call_for_all() -> None:
    def run(_: Any) -> Any:
        raise TimeoutError

    script = array_script(run)
    assert statuses(script(data([1, 2]), data([3, 4]))) == [502, 502]
    assert len(script.got) == 1


def test_array_limits_hold() -> None:
    script = array_script(batch_max_rows=3)
    script(*[data([1, 2], [3, 4])] * 3, data(*[[1, 2]] * 7))
    assert [len(array) for array in script.got] == [2, 2, 2, 7]


def test_array_memory_that_runs_out_fails_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    script = array_script()
    reader = script.batcher._mode._reader  # type: ignore[attr-defined]
    rows = reader.rows

    def scarce(request: Request, may_be_binary: bool) -> Any:
        if len(request.body) > 100:
            raise MemoryError
        return rows(request, may_be_binary)

    monkeypatch.setattr(reader, "rows", scarce)
    assert statuses(script(data([1, 2]), data(*[[1, 2]] * 50), data([3, 4]))) == [200, 502, 200]
