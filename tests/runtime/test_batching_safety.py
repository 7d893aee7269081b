import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.runtime.batches import Script, body, data, merged, statuses, sums

from gpu_inference_script import scoring

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
    assert caplog.text.count("One call for 2 requests gives other results than single calls") == 1
    assert caplog.text.count("From now on, each request is scored alone") == 1


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
    assert caplog.text.count("3 requests could not be scored with one call") == 1
    assert "run() raised ValueError" in caplog.text
    assert "During handling" not in caplog.text
    assert "From now on" not in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit])
def test_whatever_run_raises_the_others_are_answered(error: type[BaseException]) -> None:
    def run(raw_data: str) -> list[float]:
        if "-" in raw_data:
            raise error
        return sums(raw_data)

    assert statuses(merged(run)(data([1.5, 2]), data([-1.5, 4]))) == [200, 502]


def test_after_a_failure_rows_are_batched_by_length() -> None:
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
