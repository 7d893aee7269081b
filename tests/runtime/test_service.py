"""The whole way of a request, without a network: what is checked before what, and what a slow script does."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import flask
import pytest
from tests.runtime.answers import content
from tests.runtime.bench import SETTINGS, Bench, request

from gpu_inference_runtime.messages import Answer, BodyTooLargeError, BodyUnreadableError, Request
from gpu_inference_runtime.script.inputs import RawInputs

PATIENCE = 60


def never_read() -> bytes:
    pytest.fail("the body was read")


def message(answer: Answer) -> str:
    return str(content(answer)["message"])


@pytest.fixture
def held() -> Iterator[tuple[threading.Event, threading.Event, Callable[[str], str]]]:
    """A run() that says that it has begun and waits to be let go when its input is `hold`."""
    begun, go = threading.Event(), threading.Event()

    def run(text: str) -> str:
        if text == "hold":
            begun.set()
            go.wait(PATIENCE)
        return text

    yield begun, go, run
    go.set()


def test_a_scored_request_carries_its_ids_and_is_counted() -> None:
    bench = Bench()
    answer = bench.post(headers={"x-request-id": "R"})
    assert (answer.status, answer.body, answer.close) == (200, b'"ABC"', False)
    assert dict(answer.headers)["x-request-id"] == "R"
    assert bench.counted('gpu_inference_requests_total{code="200"}') == 1
    assert bench.counted("gpu_inference_run_seconds_count") == 1


def test_a_get_request_has_no_body_to_read() -> None:
    answer = Bench().service.answer(Request("GET", {"x": ["1"]}, {}, None, lambda: b""))
    assert answer.body == rb'"{\"X\": 1}"'


def test_a_wrong_key_is_refused_before_the_body_is_read(tmp_path: Path) -> None:
    (tmp_path / "primaryKey").write_text("key")
    bench = Bench(replace(SETTINGS, keys_directory=tmp_path))
    answer = bench.service.answer(request(never_read, 3))
    assert (answer.status, message(answer)) == (401, "Unauthorized, no Auth Header")
    assert ("WWW-Authenticate", "Bearer") in answer.headers
    assert bench.post(headers={"authorization": "Bearer key"}).status == 200
    assert bench.counted('gpu_inference_refusals_total{reason="key"}') == 1


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    bench = Bench(replace(SETTINGS, max_body_bytes=10))
    answer = bench.service.answer(request(never_read, 11))
    assert (answer.status, answer.close) == (413, True)
    assert message(answer) == "The request's body is larger than the limit of 10 bytes."
    assert bench.service.answer(request(lambda: b"x" * 10, 10)).status == 200


@pytest.mark.parametrize(("error", "status"), [(BodyTooLargeError, 413), (BodyUnreadableError, 400)])
def test_a_body_that_turns_out_wrong_while_it_is_read_is_the_clients_error(
    error: type[Exception], status: int
) -> None:
    def read() -> bytes:
        raise error

    bench = Bench()
    answer = bench.service.answer(request(read))
    assert (answer.status, answer.close) == (status, True)
    assert bench.post().status == 200


def test_a_body_that_is_not_utf_8_never_reaches_the_script() -> None:
    bench = Bench()
    answer = bench.post(b"\xff")
    assert answer.status == 400
    assert message(answer).startswith("Input cannot be decoded as UTF-8: ")
    assert bench.counted("gpu_inference_run_seconds_count") == 0


def test_a_too_long_id_is_refused_and_not_echoed() -> None:
    answer = Bench().post(headers={"x-request-id": "x" * 101})
    assert (answer.status, message(answer)) == (431, "x-request-id must not exceed 100 characters")
    assert "x-request-id" not in dict(answer.headers)


def test_other_methods_are_not_allowed() -> None:
    answer = Bench().service.answer(request(never_read, method="HEAD"))
    assert (answer.status, message(answer)) == (405, "Method not allowed")


def test_before_init_has_ended_there_is_no_replica_ready() -> None:
    answer = Bench(run=None).service.answer(request(never_read, 3))
    assert (answer.status, answer.close) == (503, True)
    assert message(answer) == "No ready replicas for service mnist."
    assert ("Retry-After", "1") in answer.headers


def test_a_fault_of_the_server_itself_is_a_500_that_keeps_its_ids() -> None:
    def read() -> bytes:
        raise RuntimeError("a secret")

    answer = Bench().service.answer(request(read, headers={"x-request-id": "R"}))
    assert (answer.status, dict(answer.headers)["x-request-id"]) == (500, "R")
    assert message(answer) == "An unexpected internal error occurred. Check the logs for more info."


def test_a_request_that_waits_too_long_for_a_slot_is_refused_with_the_known_text(held: Any) -> None:
    begun, go, run = held
    bench = Bench(run=run)
    first = threading.Thread(target=bench.post, args=(b"hold",))
    first.start()
    assert begun.wait(PATIENCE)
    assert bench.counted("gpu_inference_busy_slots") == 1
    assert 0 < bench.counted("gpu_inference_busy_slots_average") <= 1
    answer = bench.post()
    assert (answer.status, answer.close) == (503, True)
    assert message(answer) == "Too many requests for service mnist (overloaded)"
    assert ("Retry-After", "1") in answer.headers
    go.set()
    first.join(PATIENCE)
    assert bench.post().status == 200
    assert bench.counted('gpu_inference_refusals_total{reason="overloaded"}') == 1


def test_with_no_queue_a_busy_replica_refuses_before_the_body_is_read(held: Any) -> None:
    begun, go, run = held
    bench = Bench(replace(SETTINGS, max_queue_wait_ms=0), run)
    first = threading.Thread(target=bench.post, args=(b"hold",))
    first.start()
    assert begun.wait(PATIENCE)
    assert bench.service.answer(request(never_read, 3)).status == 503
    go.set()
    first.join(PATIENCE)


def test_a_call_past_its_time_is_answered_but_keeps_its_slot_until_it_ends(held: Any) -> None:
    _, go, run = held
    bench = Bench(replace(SETTINGS, scoring_timeout_ms=30), run)
    answer = bench.post(b"hold")
    assert (answer.status, message(answer)) == (504, "Scoring timeout after 30 ms")
    assert bench.state.stuck
    assert not bench.state.accepts_traffic
    assert bench.counted("gpu_inference_busy_slots") == 1
    assert bench.post().status == 503
    go.set()
    bench.script.submit(lambda: None).result(PATIENCE)
    assert not bench.state.stuck
    assert bench.state.accepts_traffic
    assert bench.counted("gpu_inference_busy_slots") == 0
    assert bench.post().status == 200


def test_a_call_that_times_out_before_it_began_never_begins(held: Any) -> None:
    begun, go, run = held
    ran: list[str] = []

    def noting(text: str) -> str:
        ran.append(text)
        return str(run(text))

    bench = Bench(replace(SETTINGS, scoring_timeout_ms=200, max_concurrent_requests=2), noting)
    first = threading.Thread(target=bench.post, args=(b"hold",))
    first.start()
    assert begun.wait(PATIENCE)
    assert bench.post(b"second").status == 504
    assert bench.counted("gpu_inference_busy_slots") == 1
    first.join(PATIENCE)
    go.set()
    bench.script.submit(lambda: None).result(PATIENCE)
    assert ran == ["hold"]


def test_the_bare_server_lets_requests_wait_instead_of_refusing_them(held: Any) -> None:
    begun, go, run = held
    bench = Bench(replace(SETTINGS, front_end="none", max_queue_wait_ms=0), run)
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(bench.post(b"hold"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(PATIENCE)
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [answer.status for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize(
    ("front_end", "headers", "called"),
    [
        ("none", {}, True),
        ("azureml", {}, False),
        ("azureml", {"authorization": "Bearer wrong"}, False),
        ("azureml", {"authorization": "Bearer key"}, True),
    ],
    ids=["bare", "no key", "wrong key", "right key"],
)
def test_run_gets_options_where_it_takes_them_and_the_client_may_score(
    tmp_path: Path, front_end: Any, headers: dict[str, str], called: bool
) -> None:
    (tmp_path / "primaryKey").write_text("key")
    keys = tmp_path if front_end == "azureml" else None
    settings = replace(SETTINGS, front_end=front_end, keys_directory=keys)
    bench = Bench(settings, lambda request: request.method, RawInputs("text"))
    answer = bench.client.options("/score", headers=headers)
    assert (answer.status_code, answer.data) == (200, b'"OPTIONS"' if called else b"")


def test_run_gets_options_where_no_key_is_asked() -> None:
    bench = Bench(run=lambda request: request.method, inputs=RawInputs("text"))
    assert bench.client.options("/score").data == b'"OPTIONS"'
    preflight = {"Access-Control-Request-Method": "POST"}
    # Without the server's own CORS, that is the script's work.
    assert bench.client.options("/score", headers=preflight).data == b'"OPTIONS"'


def test_a_script_finds_the_whole_request_as_flasks_current_one() -> None:
    def run(_: str) -> list[Any]:
        return [flask.request.full_path, flask.request.get_data().decode(), flask.request.headers["a"]]

    answer = Bench(run=run).client.post("/score?q=1", data=b"body", headers={"a": "b"})
    assert answer.json == ["/score?q=1", "body", "b"]
