import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import flask
import numpy as np
import pandas as pd
import pytest
from tests.runtime.batches import Script, body, data, merged, post, statuses, sums

from gpu_inference_script.batch_modes import UnsupportedScriptError
from gpu_inference_script.batching import make_batcher
from gpu_inference_script.config import Config
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.inputs import RawInputs, TextInputs
from gpu_inference_script.request import Request
from gpu_inference_script.response import Response
from gpu_inference_script.schema_inputs import SchemaInputs

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
    assert caplog.text.count("could not be scored with one call, and are scored one by one") == 1
    assert "not one entry for each of 2 rows" in caplog.text


def test_after_three_such_batches_no_more_are_tried(caplog: pytest.LogCaptureFixture) -> None:
    script = Script(lambda _: "text")
    calls = []
    for _ in range(6):
        script(data([1.5, 2]), data([3.5, 4]))
        calls.append(len(script.got))
    # One that makes it look closer, three strikes, and from then on nothing but single calls.
    assert calls == [3, 3, 3, 3, 2, 2]
    assert caplog.text.count("From now on, each request is scored alone: batches have failed 3 times") == 1


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


# Which scripts


def no_score(_: Any) -> Response:
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
            with pytest.raises(UnsupportedScriptError, match="decorated, or takes the headers"):
                make_batcher(script, Config("/", batching=batching), no_score)
        else:
            assert make_batcher(script, Config("/", batching=batching), no_score) is None
            assert f"Batching is '{batching}', but run() " in caplog.text


def test_array_needs_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UnsupportedScriptError, match="has no numpy"):
        make_batcher(
            EntryScript(lambda: None, sums, TextInputs("x")), Config("/", batching="array"), no_score
        )
