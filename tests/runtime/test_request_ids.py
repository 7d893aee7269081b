"""Request ids: every row of the contract's table, the limit on their length, and what goes with them."""

import logging
import uuid

import pytest

from gpu_inference_runtime import __version__
from gpu_inference_runtime.messages import Answer, Request
from gpu_inference_runtime.observability.logs import current_request_id
from gpu_inference_runtime.service.request_ids import IdTooLongError, answer_with_ids, request_ids


def headers_of_answer(sent: dict[str, str], answer: Answer, version: bool = False) -> list[tuple[str, str]]:
    request = Request("POST", {}, sent, None, lambda: b"")
    return list(answer_with_ids(request, version, lambda _: answer).headers)


@pytest.mark.parametrize("sent", [{}, {"x-request-id": ""}], ids=["none", "empty"])
def test_a_request_without_ids_gets_one_new_id_twice(sent: dict[str, str]) -> None:
    headers = dict(request_ids(sent).headers())
    assert list(headers) == ["x-request-id", "x-ms-request-id"]
    assert headers["x-request-id"] == headers["x-ms-request-id"]
    assert uuid.UUID(headers["x-request-id"]).version == 4
    assert headers != dict(request_ids(sent).headers())


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ({"x-request-id": "R"}, {"x-request-id": "R", "x-ms-request-id": "R"}),
        (
            {"x-request-id": "R", "x-ms-client-request-id": "C"},
            {"x-request-id": "R", "x-ms-request-id": "C", "x-ms-client-request-id": "C"},
        ),
        (
            {"x-request-id": "R", "x-ms-request-id": "L"},
            {"x-request-id": "R", "x-ms-request-id": "L", "x-ms-client-request-id": "L"},
        ),
        (
            {"x-request-id": "R", "x-ms-request-id": "L", "x-ms-client-request-id": "C"},
            {"x-request-id": "R", "x-ms-request-id": "L", "x-ms-client-request-id": "C"},
        ),
        (
            {"x-request-id": "R", "traceid": "T"},
            {"x-request-id": "R", "x-ms-request-id": "R", "TraceId": "T"},
        ),
    ],
)
def test_ids_sent_come_back(sent: dict[str, str], answered: dict[str, str]) -> None:
    assert dict(request_ids(sent).headers()) == answered


@pytest.mark.parametrize(
    ("header", "sentence", "echoed"),
    [
        ("x-request-id", "x-request-id must not exceed 100 characters", {}),
        (
            "x-ms-request-id",
            "x-ms-request-id and x-ms-client-request-id must not exceed 100 characters",
            {"x-request-id": "R"},
        ),
        (
            "x-ms-client-request-id",
            "x-ms-request-id and x-ms-client-request-id must not exceed 100 characters",
            {"x-request-id": "R"},
        ),
    ],
)
def test_an_id_of_more_than_100_characters_is_refused_and_not_echoed(
    header: str, sentence: str, echoed: dict[str, str]
) -> None:
    assert ("x-request-id", "x" * 100) in request_ids({"x-request-id": "x" * 100}).headers()
    with pytest.raises(IdTooLongError) as caught:
        request_ids({"x-request-id": "R"} | {header: "x" * 101} | {"traceid": "T"})
    assert str(caught.value) == sentence
    assert dict(caught.value.ids.headers()) == echoed | {"TraceId": "T"}


def test_what_answers_is_not_asked_where_an_id_is_too_long() -> None:
    def never(_: object) -> Answer:
        pytest.fail("it was asked")

    answer = answer_with_ids(Request("POST", {}, {"x-request-id": "x" * 101}, None, lambda: b""), True, never)
    assert answer.status == 431
    assert answer.body == b'{"message": "x-request-id must not exceed 100 characters"}'
    assert answer.headers == (
        ("x-ms-run-function-failed", "False"),
        ("x-ms-server-version", f"gpu-inference/{__version__}"),
    )


def test_a_script_cannot_set_the_ids_but_any_other_header() -> None:
    script = Answer(200, b"", (("X-Request-Id", "S"), ("x-ms-Request-id", "S"), ("TraceId", "S"), ("a", "b")))
    assert headers_of_answer({"x-request-id": "R", "traceid": "T"}, script) == [
        ("TraceId", "S"),
        ("a", "b"),
        ("x-request-id", "R"),
        ("x-ms-request-id", "R"),
        ("TraceId", "T"),
    ]


@pytest.mark.parametrize("sends", [True, False])
def test_the_servers_version_is_sent_unless_that_is_turned_off(sends: bool) -> None:
    names = dict(headers_of_answer({}, Answer(200, b""), sends))
    assert names.get("x-ms-server-version") == (f"gpu-inference/{__version__}" if sends else None)


def test_the_old_use_of_x_ms_request_id_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "gpu_inference"):
        headers_of_answer({"x-request-id": "R", "x-ms-client-request-id": "C"}, Answer(200, b""))
        assert not caplog.messages
        headers_of_answer({"x-ms-request-id": "an-id"}, Answer(200, b""))
    [line] = caplog.messages
    assert line == "The request's header x-ms-request-id is deprecated: send x-ms-client-request-id instead."


def test_log_lines_of_a_request_carry_its_id() -> None:
    seen = []

    def answer(_: object) -> Answer:
        seen.append(current_request_id())
        return Answer(200, b"")

    answer_with_ids(Request("POST", {}, {"x-request-id": "R"}, None, lambda: b""), True, answer)
    assert seen == ["R"]
    assert current_request_id() == ""
