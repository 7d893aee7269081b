"""Responses that run() returns whole: Flask's, Werkzeug's, and AMLResponse."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import flask
import pytest
import werkzeug.wrappers

from gpu_inference_script.flask_responses import UnsendableError, from_flask, is_response
from gpu_inference_script.response import RUN_FAILED, Response
from gpu_inference_script.stand_ins.packages.azureml.contrib.services.aml_response import AMLResponse

HTML = "text/html; charset=utf-8"
FAILED_FALSE = (RUN_FAILED, "False")


def answer(response: Any, front_end: Any = "none") -> Response:
    """All of it but the words after the status, which Werkzeug always has."""
    assert is_response(response)
    return from_flask(response, front_end).replace(reason=None)


def test_other_results_are_no_responses() -> None:
    assert not any(map(is_response, ["text", {"status": 200}, ("text", 200), flask.Response, object()]))


def test_a_response_keeps_its_status_body_and_headers() -> None:
    response = flask.Response(b"\x89PNG", 201, [("X-A", "1"), ("x-a", "2")], content_type="image/png")
    assert answer(response) == Response(201, b"\x89PNG", (("X-A", "1"), ("x-a", "2")), "image/png")


def test_a_response_of_werkzeug_is_one_too() -> None:
    assert answer(werkzeug.wrappers.Response("text", 202)).status == 202


def test_a_response_of_several_parts_is_put_together() -> None:
    assert answer(flask.Response(["a", "b", "ü"])).body == "abü".encode()


def test_only_a_streamed_body_keeps_its_content_length() -> None:
    assert answer(flask.Response("abc", headers={"Content-Length": "7"})).headers == ()
    streamed = answer(flask.Response(iter("abc"), headers={"Content-Length": "3"}))
    assert streamed.headers == (("Content-Length", "3"),)


def test_a_response_without_or_with_two_content_types_stays_so() -> None:
    response = flask.Response("text")
    del response.headers["Content-Type"]
    assert (answer(response).content_type, answer(response).headers) == (None, ())
    response.headers.extend([("Content-Type", "a/b"), ("Content-Type", "c/d")])
    assert answer(response).content_type is None
    assert answer(response).headers == (("Content-Type", "a/b"), ("Content-Type", "c/d"))


@pytest.mark.parametrize("front_end", ["none", "azureml"])
@pytest.mark.parametrize("status", [200, 404, 499])
def test_below_500_a_response_does_not_say_that_run_failed(status: int, front_end: Any) -> None:
    assert answer(flask.Response("", status), front_end) == Response(status, b"", (), HTML)
    assert answer(AMLResponse("", status), front_end).headers == (FAILED_FALSE,)


@pytest.mark.parametrize(
    ("status", "front_end", "seen"),
    [
        (500, "none", 500),
        (503, "none", 503),
        (500, "azureml", 502),
        (503, "azureml", 503),
        (504, "azureml", 504),
    ],
)
@pytest.mark.parametrize("kind", [flask.Response, AMLResponse])
def test_from_500_on_a_response_is_a_failed_run(kind: Any, status: int, front_end: Any, seen: int) -> None:
    assert answer(kind("broken", status), front_end) == Response(
        seen, b"broken", ((RUN_FAILED, "True"),), HTML
    )


@pytest.mark.parametrize("front_end", ["none", "azureml"])
@pytest.mark.parametrize("kind", [flask.Response, AMLResponse])
def test_words_of_the_scripts_own_after_the_status_are_kept(kind: Any, front_end: Any) -> None:
    assert from_flask(kind("x", "299 Caf\xe9 opened"), front_end).reason == "Caf\xe9 opened"
    assert from_flask(kind("x", "299"), front_end).reason == "UNKNOWN"


def test_words_after_a_500_go_with_it_behind_the_front_end() -> None:
    assert from_flask(flask.Response("x", "500 Mine"), "none").reason == "Mine"
    assert from_flask(flask.Response("x", "500 Mine"), "azureml").reason is None


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 1000, -1, "words alone"])
@pytest.mark.parametrize("kind", [flask.Response, AMLResponse])
def test_a_status_that_ends_no_request_is_the_scripts_error(kind: Any, status: Any) -> None:
    with pytest.raises(
        UnsendableError, match=r"The response's status is -?\d+, and must be from 200 to 999\."
    ):
        answer(kind("x", status))


@pytest.mark.parametrize("words", ["a\r\nX-B: c", "\u2713", "\x00", "a\nb"])
def test_a_status_text_that_http_forbids_is_the_scripts_error(words: str) -> None:
    with pytest.raises(UnsendableError) as caught:
        answer(flask.Response("x", f"200 {words}"))
    assert str(caught.value) == (
        "The words after the response's status have characters that HTTP does not allow."
    )


class Watched:
    def __init__(self) -> None:
        self.given = 0
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        for part in "abc":
            self.given += 1
            yield part

    def close(self) -> None:
        self.closed = True


def test_a_streamed_body_is_made_part_by_part_and_closed_at_its_end() -> None:
    parts = Watched()
    body = answer(flask.Response(parts)).body
    assert not isinstance(body, bytes)
    assert (next(body), parts.given, parts.closed) == (b"a", 1, False)
    assert (list(body), parts.closed) == ([b"b", b"c"], True)


def test_a_streamed_body_that_nobody_wants_more_of_is_closed() -> None:
    called = []
    response = flask.Response(iter("abc"))
    response.call_on_close(lambda: called.append("on close"))
    body: Any = answer(response).body
    next(body)
    body.close()
    assert called == ["on close"]


def test_a_whole_body_is_closed_at_once() -> None:
    called = []
    response = flask.Response("abc")
    response.call_on_close(lambda: called.append("on close"))
    answer(response)
    assert called == ["on close"]


def test_a_file_that_is_sent_is_streamed() -> None:
    with flask.Flask("test").test_request_context():
        response = flask.send_file(BytesIO(b"content"), mimetype="application/octet-stream")
    body: Any = answer(response).body
    assert b"".join(body) == b"content"


def test_flask_is_not_imported_to_find_out() -> None:
    code = (
        "import sys; from gpu_inference_script.flask_responses import is_response\n"
        "assert not is_response('x') and not {'flask', 'werkzeug'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# AMLResponse


def test_its_message_is_text_or_json_or_for_none_an_empty_object() -> None:
    assert answer(AMLResponse("text", 201)) == Response(201, b"text", (FAILED_FALSE,), HTML)
    assert answer(AMLResponse({"a": 1}, 200, json_str=True)) == Response(200, b'{"a": 1}', (FAILED_FALSE,))
    assert answer(AMLResponse(None, 200)) == Response(200, b"{}", (FAILED_FALSE,))
    assert answer(AMLResponse(b"\x00", 200)).body == b"\x00"


def test_a_content_type_spelt_so_replaces_its_own_and_no_other_does() -> None:
    assert answer(AMLResponse("x", 200, {"Content-Type": "image/png"})).content_type == "image/png"
    assert answer(AMLResponse("x", 200, {"content-type": "image/png"})).headers == (
        ("Content-Type", HTML),
        FAILED_FALSE,
        ("content-type", "image/png"),
    )


def test_header_values_with_commas_become_several_headers() -> None:
    response = AMLResponse("", 200, {"X-A": "1, 2,3", "Cache-Control": "private, no-store"})
    assert answer(response).headers == (
        FAILED_FALSE,
        ("X-A", "1"),
        ("X-A", "2"),
        ("X-A", "3"),
        ("Cache-Control", "private"),
        ("Cache-Control", "no-store"),
    )


def test_headers_set_afterwards_are_kept_whole() -> None:
    response = AMLResponse("", 200, run_function_failed=True)
    response.headers["Cache-Control"] = "private, no-store"
    assert answer(response).headers == ((RUN_FAILED, "True"), ("Cache-Control", "private, no-store"))


def test_a_header_that_is_no_text_is_the_scripts_error() -> None:
    with pytest.raises(AttributeError):
        AMLResponse("", 200, {"X-A": 1})  # type: ignore[dict-item]


@pytest.mark.parametrize("header", [("bad name", "v"), ("a", "\x01"), ("a", "€"), ("", "v"), ("a", "x\x7f")])
def test_a_header_that_http_forbids_is_named_without_its_value(header: tuple[str, str]) -> None:
    response = flask.Response("x")
    # Werkzeug itself only looks for line breaks.
    response.headers.add(*header)
    with pytest.raises(UnsendableError, match="has characters that HTTP does not allow") as caught:
        answer(response)
    text = f"The header {header[0]!r} of the response has characters that HTTP does not allow."
    assert str(caught.value) == text
