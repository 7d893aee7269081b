"""Request ids: every row of the contract's table, and the limit on their length."""

import uuid

import pytest

from gpu_inference_runtime.request_ids import IdTooLongError, request_ids


def test_a_request_without_ids_gets_one_new_id_twice() -> None:
    headers = dict(request_ids({}).headers())
    assert list(headers) == ["x-request-id", "x-ms-request-id"]
    assert headers["x-request-id"] == headers["x-ms-request-id"]
    assert uuid.UUID(headers["x-request-id"]).version == 4
    assert headers != dict(request_ids({}).headers())


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
    ("header", "sentence"),
    [
        ("x-request-id", "x-request-id must not exceed 100 characters"),
        ("x-ms-request-id", "x-ms-request-id and x-ms-client-request-id must not exceed 100 characters"),
        (
            "x-ms-client-request-id",
            "x-ms-request-id and x-ms-client-request-id must not exceed 100 characters",
        ),
    ],
)
def test_an_id_of_more_than_100_characters_is_refused(header: str, sentence: str) -> None:
    assert ("x-request-id", "x" * 100) in request_ids({"x-request-id": "x" * 100}).headers()
    with pytest.raises(IdTooLongError) as caught:
        request_ids({header: "x" * 101})
    assert str(caught.value) == sentence
