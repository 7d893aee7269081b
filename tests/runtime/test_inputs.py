"""What run() receives of a request, by the kind of script."""

import json

import pytest

from gpu_inference_runtime.inputs import InputError, TextInputs
from gpu_inference_runtime.messages import Request

TEXT = TextInputs("data")


def request(
    method: str = "POST", query: dict[str, list[str]] | None = None, headers: dict[str, str] | None = None
) -> Request:
    return Request(method, query or {}, headers or {}, None, lambda: b"")


def test_a_body_is_given_as_text() -> None:
    assert TEXT.arguments(request(), "größe".encode()) == {"data": "größe"}


def test_a_body_that_is_not_utf_8_is_refused_with_the_position() -> None:
    with pytest.raises(InputError) as caught:
        TEXT.arguments(request(), b"ab\xff")
    assert caught.value.status == 400
    assert str(caught.value) == (
        "Input cannot be decoded as UTF-8: "
        "'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"
    )


def test_query_parameters_become_a_json_object() -> None:
    query = {"x": ["1"], "y": ["[1, 2]"], "word": ["abc"], "twice": ["1", "b"]}
    given = TEXT.arguments(request("GET", query), b"")
    assert json.loads(given["data"]) == {"x": 1, "y": [1, 2], "word": "abc", "twice": [1, "b"]}
