import inspect
import io
import itertools
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import flask
import numpy as np
import pandas as pd
import pytest
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema

from gpu_inference_script import scoring
from gpu_inference_script.batch_modes import UnfitError
from gpu_inference_script.batching import Batcher, make_batcher
from gpu_inference_script.config import Config
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.inputs import InputError, Inputs, RawInputs, TextInputs
from gpu_inference_script.messages import Answer
from gpu_inference_script.request import Request
from gpu_inference_script.schema_inputs import SchemaInputs

NPY = "application/x-npy"
TENSOR = "application/x-tensor"


class Refusable(Request):
    """As it crosses over: the worker tells the front whether the script was called at all."""

    refused = False


def post(content: Any, content_type: str = "application/json", *headers: tuple[str, str]) -> Refusable:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = [("Content-Type", content_type), *headers]
    return Refusable("POST", "/score", headers=given, body=memoryview(bytearray(body)))


def data(*rows: Any) -> Refusable:
    return post({"data": list(rows)})


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


NUMBER = itertools.count()


class Script:
    """A script, what its run() was called with, and the batcher for it."""

    def __init__(
        self,
        run: Callable[[Any], Any],
        batching: str = "merge",
        front_end: str = "azureml",
        sample: Any = None,
        schema: dict[str, bool] | None = None,
        **options: Any,
    ) -> None:
        self.got: list[Any] = []
        self.alone: list[Any] = []
        self.guarded = 0

        def recorded(data: Any) -> Any:
            self.got.append(data)
            return run(data)

        if batching == "schema":
            # inference-schema knows functions by their names.
            recorded.__qualname__ = recorded.__name__ = f"run_{next(NUMBER)}"
            recorded = input_schema("data", NumpyParameterType(sample, **schema or {}))(recorded)
            inputs: Inputs = SchemaInputs(recorded, list(inspect.signature(recorded).parameters.values()))
        else:
            inputs = TextInputs("data")
        self.script = EntryScript(lambda: None, recorded, inputs)
        self.config = Config("/", batching=batching, front_end=front_end, scoring_timeout_ms=700, **options)
        batcher = make_batcher(self.script, self.config, self.score_one, in_script=self.in_script)
        assert isinstance(batcher, Batcher)
        self.batcher = batcher

    def in_script(self, function: Callable[[], Any]) -> Any:
        self.guarded += 1
        return function()

    def score_one(self, request: Request) -> Answer:
        self.alone.append(request)
        try:
            call = self.script.call(request)
        except InputError as error:
            return scoring.refused_input(error, self.config.front_end)
        return scoring.score(
            call.make, self.config.front_end, call.client_fault, self.config.scoring_timeout_ms
        )

    def __call__(self, *requests: Request) -> list[Answer]:
        """The answers, and afterwards only the calls that they took."""
        self.got.clear()
        self.alone.clear()
        return self.batcher(list(requests))

    def prove(self, *requests: Request) -> "Script":
        """Let it find out that batches are safe."""
        self(*requests)
        self(*requests)
        assert len(self.got) == 1, "still compares"
        return self


def body(answer: Answer) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def sums(raw_data: str) -> list[float]:
    return [float(total) for total in np.array(json.loads(raw_data)["data"]).sum(axis=1)]


def merged(run: Callable[[Any], Any] = sums, **options: Any) -> Script:
    return Script(run, **options).prove(data([1.5, 2]), data([3.5, 4], [5.5, 6]))


# merge: one call for several requests


def test_several_requests_become_one_call_in_the_form_of_each() -> None:
    script = merged()
    answers = script(data([1.5, 2]), data([3.5, 4], [5.5, 6]), data([7.5, 8]))
    assert script.got == ['{"data": [[1.5, 2], [3.5, 4], [5.5, 6], [7.5, 8]]}']
    assert [answer.body for answer in answers] == [b"[3.5]", b"[7.5, 11.5]", b"[15.5]"]
    assert not script.alone


def test_an_answer_is_that_of_a_single_call() -> None:
    script = merged()
    together = script(data([1.5, 2]), data([0.1, 0.2]))
    for request, answer in zip((data([1.5, 2]), data([0.1, 0.2])), together, strict=True):
        single = script.score_one(request)
        assert (answer.status, answer.body, answer.content_type) == (200, single.body, "application/json")
        assert [name for name, _ in answer.headers] == [name for name, _ in single.headers]
        assert answer.headers[0] == ("x-ms-run-function-failed", "False")


def test_a_single_request_is_scored_as_ever() -> None:
    script = merged()
    assert [answer.body for answer in script(data([1.5, 2]))] == [b"[3.5]"]
    assert len(script.alone) == 1
    assert script() == []


RESULTS: list[Callable[[list[Any]], Any]] = [
    lambda rows: rows,
    tuple,
    np.array,
    lambda rows: np.array(rows, "f4"),
    lambda rows: np.array(rows).astype("M8[s]"),
    lambda rows: np.array([{"a": row} for row in rows], object),
    lambda rows: np.ma.masked_less(np.array(rows), 3),
    lambda rows: [{"label": str(row), "score": row[0]} for row in rows],
    lambda rows: ["\u20ac" * int(row[0]) for row in rows],
    lambda rows: [None for row in rows],
    lambda rows: {"result": [sum(row) for row in rows]},
    lambda rows: {"labels": [str(row) for row in rows], "scores": np.array(rows)},
    lambda rows: pd.DataFrame({"a": [row[0] for row in rows], "b": ["x" for row in rows]}),
    lambda rows: pd.Series([row[0] for row in rows]),
    lambda rows: [float("nan") for row in rows],
]


@pytest.mark.parametrize("result", RESULTS)
def test_one_entry_for_each_row_is_divided(result: Callable[[list[Any]], Any]) -> None:
    script = merged(lambda raw_data: result(json.loads(raw_data)["data"]))
    requests = data([1.5, 2]), data([3.5, 4], [5.5, 6])
    answers = script(*requests)
    assert len(script.got) == 1
    assert [answer.body for answer in answers] == [script.score_one(request).body for request in requests]


class Tensor:
    """As PyTorch's."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def tolist(self) -> list[Any]:
        return self._rows


class EagerTensor(Tensor):
    """As TensorFlow's, with `tolist` out of reach."""

    tolist = None  # type: ignore[assignment]

    def numpy(self) -> Any:
        return np.array(self._rows)


@pytest.mark.parametrize("kind", [Tensor, EagerTensor])
def test_tensors_are_divided(kind: type[Tensor]) -> None:
    script = merged(lambda raw_data: kind(json.loads(raw_data)["data"]))
    assert [body(answer) for answer in script(data([1.5, 2]), data([3.5, 4]))] == [[[1.5, 2]], [[3.5, 4]]]
    assert len(script.got) == 1


@pytest.mark.parametrize(
    "result",
    [
        lambda rows: rows[:1],
        lambda rows: [*rows, 1],
        lambda rows: json.dumps(rows),
        lambda rows: "ab"[: len(rows)],
        lambda rows: len(rows),
        lambda _: None,
        lambda _: {},
        lambda rows: {"result": rows, "model": "a"},
        lambda rows: {"result": rows, "classes": ["a"]},
        lambda _: np.array(5),
        lambda rows: np.array(rows)[:1],
        lambda _: pd.Series([1]),
        lambda _: np.float64(1),
        lambda _: flask.Response("own"),
        lambda rows: iter(rows),
    ],
)
def test_any_other_result_means_single_calls(
    result: Callable[[list[Any]], Any], caplog: pytest.LogCaptureFixture
) -> None:
    script = Script(lambda raw_data: result(json.loads(raw_data)["data"]))
    requests = data([1.5, 2]), data([3.5, 4])
    for _ in range(5):
        answers = script(*requests)
        assert [answer.body for answer in answers] == [script.score_one(request).body for request in requests]
    assert caplog.text.count("could not be scored by one call, and are scored one by one") == 1
    assert "not one entry for each of 2 rows" in caplog.text


def test_after_three_such_batches_no_more_are_tried(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(lambda _: "text")
    calls = []
    for _ in range(6):
        script(data([1.5, 2]), data([3.5, 4]))
        calls.append(len(script.got))
    # One that makes it look closer, three strikes, and from then on nothing but single calls.
    assert calls == [3, 3, 3, 3, 2, 2]
    assert caplog.text.count("From now on each request is scored alone: batches have failed 3 times") == 1


def test_a_batch_that_works_forgives_the_ones_before() -> None:
    fail = False

    def run(raw_data: str) -> Any:
        rows = json.loads(raw_data)["data"]
        return "text" if fail and len(rows) > 1 else sums(raw_data)

    script = merged(run)
    for _ in range(6):
        fail = True
        script(data([1.5, 2]), data([3.5, 4]))
        fail = False
        script(data([1.5, 2]), data([3.5, 4]))
        assert len(script.got) == 1


# merge: what is never put together


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/score?data=[[1.5,2]]"),
        post({"data": [[1.5, 2]]}, "application/x-www-form-urlencoded"),
        post({"data": [[1.5, 2]]}, "multipart/form-data; boundary=x"),
        post({"other": [[1.5, 2]]}),
        post({"data": [[1.5, 2]], "more": 1}),
        post({"data": []}),
        post({"data": 5}),
        post(b'{"data": [["\xff"]]}'),
        post(b'{"data": [[1.5, 2]'),
        post(b""),
        data([1, 2]),
        data(["a"]),
        data({"a": 1}),
    ],
)
def test_a_request_of_another_kind_stays_alone(request_: Request) -> None:
    def run(raw_data: str) -> Any:
        rows = json.loads(raw_data)
        return [str(row) for row in rows["data"]] if isinstance(rows.get("data"), list) else rows

    script = merged(run)
    answers = script(data([1.5, 2]), request_, data([3.5, 4]))
    assert script.alone == [request_]
    assert len(script.got) == (1 if statuses(answers)[1] == 400 else 2)
    assert script.got[0] == '{"data": [[1.5, 2], [3.5, 4]]}'
    assert [body(answers[0]), body(answers[2])] == [["[1.5, 2]"], ["[3.5, 4]"]]
    assert (answers[1].status, answers[1].body) == (
        (single := script.score_one(request_)).status,
        single.body,
    )


def test_requests_of_two_kinds_make_two_batches_in_order() -> None:
    script = Script(lambda raw_data: [str(row) for row in next(iter(json.loads(raw_data).values()))])
    requests = [data([1.5]), post({"x": ["a"]}), data([2.5]), post({"x": ["b", "c"]}), data([1]), data([2])]
    script(*requests)
    answers = script(*requests)
    assert script.got == ['{"data": [[1.5], [2.5]]}', '{"x": ["a", "b", "c"]}', '{"data": [[1], [2]]}']
    assert [body(answer) for answer in answers] == [["[1.5]"], ["a"], ["[2.5]"], ["b", "c"], ["[1]"], ["[2]"]]


def test_no_batch_has_more_rows_than_the_limit() -> None:
    script = merged(batch_max_rows=4)
    answers = script(*(data(*[[row + 0.5, 1]] * rows) for row, rows in enumerate((2, 2, 1, 6, 3, 1))))
    assert [len(json.loads(text)["data"]) for text in script.got] == [4, 1, 6, 4]
    assert [len(body(answer)) for answer in answers] == [2, 2, 1, 6, 3, 1]
    assert [body(answer)[0] for answer in answers] == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_no_batch_has_more_bytes_than_the_limit() -> None:
    size = len(data([1.5, 2]).body)
    script = Script(sums, batch_max_bytes=2 * size).prove(data([1.5, 2]), data([3.5, 4]))
    script(*[data([1.5, 2])] * 5)
    assert [len(json.loads(text)["data"]) for text in script.got] == [2, 2, 1]


# merge: is it safe


def test_the_first_batch_is_compared_with_single_calls() -> None:
    script = Script(sums)
    answers = script(data([1.5, 2]), data([3.5, 4]))
    assert script.got == ['{"data": [[1.5, 2], [3.5, 4]]}', '{"data": [[1.5, 2]]}', '{"data": [[3.5, 4]]}']
    assert [body(answer) for answer in answers] == [[3.5], [7.5]]
    script(data([1.5, 2]), data([3.5, 4]))
    assert len(script.got) == 1


def test_requests_that_are_all_the_same_prove_it_by_the_third_time() -> None:
    script = Script(sums)
    calls = []
    for _ in range(5):
        script(data([1.5, 2]), data([1.5, 2]))
        calls.append(len(script.got))
    assert calls == [3, 3, 3, 1, 1]


DANGEROUS: list[Callable[[list[list[float]]], Any]] = [
    # Only the first row counts, and there are as many classes as rows.
    lambda rows: [rows[0][0] / each for each in (1, 2)],
    # Each row is seen in the light of the others.
    lambda rows: (np.array(rows) / np.array(rows).max()).tolist(),
    lambda rows: sorted(rows, reverse=True),
    lambda rows: [0.5 + len(rows) for _ in rows],
    lambda rows: [len(rows) for _ in rows],
    lambda rows: [{"id": number, "row": row} for number, row in enumerate(rows)],
    lambda rows: [str(row) if len(rows) > 1 else row for row in rows],
    lambda rows: [[*row, 1] if len(rows) > 1 else row for row in rows],
    lambda rows: [{"a": 1} if len(rows) > 1 else {"b": 1} for row in rows],
    lambda rows: [float("nan") if len(rows) > 1 else 1.5 for _ in rows],
]


@pytest.mark.parametrize("result", DANGEROUS)
def test_a_script_whose_rows_depend_on_each_other_is_called_singly(
    result: Callable[[list[list[float]]], Any], caplog: pytest.LogCaptureFixture
) -> None:
    script = Script(lambda raw_data: result(json.loads(raw_data)["data"]))
    requests = data([1.5, 2]), data([3.5, 4])
    for _ in range(4):
        answers = script(*requests)
        assert [answer.body for answer in answers] == [script.score_one(request).body for request in requests]
    assert len(script.got) == 4, "two for the answers, two for the check"
    assert caplog.text.count("One call for 2 requests gives other answers than single calls") == 1
    assert caplog.text.count("From now on each request is scored alone") == 1


def test_the_last_digits_may_differ() -> None:
    script = Script(lambda raw_data: [total + 1e-6 * len(raw_data) for total in sums(raw_data)])
    script(data([1.5, 2]), data([3.5, 4]))
    script(data([1.5, 2]), data([3.5, 4]))
    assert len(script.got) == 1


# merge: failures


def strict(raw_data: str) -> list[float]:
    rows = np.array(json.loads(raw_data)["data"])
    if (rows < 0).any():
        raise ValueError("negative")
    return [float(total) for total in rows.sum(axis=1)]


def test_a_bad_request_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    script = merged(strict)
    for _ in range(10):
        answers = script(data([1.5, 2]), data([-1.5, 4]), data([5.5, 6]))
        assert statuses(answers) == [200, 502, 200]
        assert [body(answers[0]), body(answers[2])] == [[3.5], [11.5]]
        assert len(script.got) == 4
    assert caplog.text.count("3 requests could not be scored by one call") == 1
    assert "run() raised ValueError" in caplog.text
    assert "From now on" not in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit])
def test_whatever_run_raises_the_others_are_answered(error: type[BaseException]) -> None:
    def run(raw_data: str) -> list[float]:
        if "-" in raw_data:
            raise error
        return sums(raw_data)

    assert statuses(merged(run)(data([1.5, 2]), data([-1.5, 4]))) == [200, 502]


def test_rows_of_other_lengths_make_batches_of_their_own_after_a_failure() -> None:
    script = merged()
    mixed = data([1.5, 2]), data([1.5, 2, 3]), data([5.5, 6]), data([4.5, 5, 6])
    assert [body(answer) for answer in script(*mixed)] == [[3.5], [6.5], [11.5], [15.5]]
    assert len(script.got) == 5
    for _ in range(5):
        assert [body(answer) for answer in script(*mixed)] == [[3.5], [6.5], [11.5], [15.5]]
        assert script.got == ['{"data": [[1.5, 2], [5.5, 6]]}', '{"data": [[1.5, 2, 3], [4.5, 5, 6]]}']


def test_a_script_that_takes_one_row_only_is_soon_called_singly() -> None:
    def run(raw_data: str) -> Any:
        (row,) = json.loads(raw_data)["data"]
        return [sum(row)]

    script = Script(run)
    calls = []
    for _ in range(6):
        assert statuses(script(data([1.5, 2]), data([3.5, 4]))) == [200, 200]
        calls.append(len(script.got))
    assert calls == [3, 3, 3, 3, 2, 2]


@pytest.mark.parametrize(
    ("front_end", "status", "message"),
    [("azureml", 502, scoring.SCRIPT_FAILED), ("none", 500, "Scoring timeout after 700 ms")],
)
def test_a_timeout_ends_the_call_for_all(front_end: str, status: int, message: str) -> None:
    late = False

    def run(raw_data: str) -> list[float]:
        if late:
            raise TimeoutError
        return sums(raw_data)

    script = merged(run, front_end=front_end)
    late = True
    answers = script(data([1.5, 2]), data([3.5, 4]))
    assert [(answer.status, body(answer)) for answer in answers] == [(status, {"message": message})] * 2
    assert len(script.got) == 1
    assert not script.alone


def test_what_has_no_json_form_means_single_calls() -> None:
    script = merged(
        lambda raw_data: [object() if row[0] < 0 else row for row in json.loads(raw_data)["data"]]
    )
    answers = script(data([1.5, 2]), data([-1.5, 4]))
    assert statuses(answers) == [200, 502]


def test_calls_of_the_script_are_made_within_its_time_limit() -> None:
    script = merged()
    script.guarded = 0
    script(data([1.5, 2]), data([3.5, 4]))
    assert script.guarded == 1


def test_an_asynchronous_run_is_awaited() -> None:
    async def run(raw_data: str) -> list[float]:
        return sums(raw_data)

    assert [body(answer) for answer in merged(run)(data([1.5, 2]), data([3.5, 4]))] == [[3.5], [7.5]]


def test_the_time_that_is_told_is_that_of_the_call() -> None:
    def run(raw_data: str) -> list[float]:
        time.sleep(0.02)
        return sums(raw_data)

    for answer in merged(run)(data([1.5, 2]), data([3.5, 4])):
        ((name, spent),) = answer.headers[1:]
        assert name == "x-ms-run-fn-exec-ms"
        assert 20 <= float(spent) < 2000


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


def test_schema_a_script_whose_rows_depend_on_each_other_is_called_singly() -> None:
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
    assert body(answers[1]) == {"message": "The 'data' parameter takes an array of nx2, and 2x3 came."}
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


def test_array_a_response_of_the_scripts_own_is_sent_to_a_single_request() -> None:
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


# Which scripts


def no_score(_: Any) -> Answer:
    raise AssertionError("not to be called")


def test_without_batching_there_is_no_batcher() -> None:
    script = EntryScript(lambda: None, sums, TextInputs("raw_data"))
    assert make_batcher(script, Config("/"), no_score) is None


@pytest.mark.parametrize("batching", ["merge", "schema", "array"])
@pytest.mark.parametrize(
    "script",
    [
        EntryScript(lambda: None, sums, RawInputs("raw_data")),
        EntryScript(lambda: None, sums, TextInputs("raw_data"), takes_headers=True),
        EntryScript(lambda: None, sums, SchemaInputs(sums, [])),
    ],
)
def test_a_script_of_another_kind_is_called_singly(
    script: EntryScript, batching: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gpu_inference"):
        if batching == "array":
            with pytest.raises(UnfitError, match="decorated, or takes the headers"):
                make_batcher(script, Config("/", batching=batching), no_score)
        else:
            assert make_batcher(script, Config("/", batching=batching), no_score) is None
            assert f"Batching is '{batching}', but run() " in caplog.text


def test_array_needs_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UnfitError, match="has no numpy"):
        make_batcher(
            EntryScript(lambda: None, sums, TextInputs("x")), Config("/", batching="array"), no_score
        )
