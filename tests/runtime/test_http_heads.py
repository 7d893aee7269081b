"""The first lines of answers: those that gunicorn sends for what Flask answers."""

import itertools
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import pytest
from flask import Response
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from werkzeug.http import HTTP_STATUS_CODES

from gpu_inference_runtime.http import response_head
from gpu_inference_script.response import error_response

CONFIG = Config()
Pairs = tuple[tuple[str, str], ...]


class Wire:
    """In the place of a socket."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def reference(answer: Response, version: str = "1.1", method: str = "GET", close: bool = False) -> bytes:
    """Return what gunicorn sends for this answer of a Flask application."""
    wire: Any = Wire()
    connection = "close" if close else "keep-alive"
    head = f"{method} / HTTP/{version}\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode()
    request = Request(CONFIG, IterUnreader([head]), ("192.0.2.1", 1))
    response, environ = wsgi.create(request, wire, ("192.0.2.1", 1), ("192.0.2.2", 80), CONFIG)
    for part in answer(environ, response.start_response):
        response.write(part)
    response.close()
    sent: bytes = wire.sent
    return sent


def undated(data: bytes) -> tuple[bytes, set[bytes], bytes]:
    """Return the status line, the header lines without the time, and the body."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    [date] = [line for line in lines if line.startswith(b"Date: ")]
    then = parsedate_to_datetime(date.removeprefix(b"Date: ").decode())
    assert abs(then.timestamp() - time.time()) < 60
    assert len(set(lines)) == len(lines)
    return first, {*lines} - {date}, body


STATUSES = [code for code in [*HTTP_STATUS_CODES, 299, 418, 599, 999] if code >= 200]


STATUS_LINES = [
    *((status, None) for status in STATUSES),
    *((status, words) for status in (200, 404, 299) for words in ("Quite Fine", "", " ", " spaced ")),
]


def test_every_status_has_the_words_that_flask_gives_it() -> None:
    for status, reason in STATUS_LINES:
        text = status if reason is None else f"{status} {reason}"
        expected = reference(Response(b"x", text, content_type="text/plain"))
        made = response_head.build(status, reason, (), "text/plain", 1, True, b"")
        assert undated(made)[:2] == undated(expected)[:2], (status, reason)


def test_the_connection_and_the_version_are_told() -> None:
    for version, close, method in itertools.product(["1.0", "1.1"], [True, False], ["GET", "HEAD"]):
        expected = reference(Response(b"abc", content_type="text/plain"), version, method, close)
        made = response_head.build(200, None, (), "text/plain", 3, not close, b"", version)
        assert undated(made)[:2] == undated(expected)[:2], (version, close, method)
        assert undated(expected)[2] == (b"" if method == "HEAD" else b"abc"), (version, close, method)


HEADERS = [
    (),
    (("x-ms-run-function-failed", "False"), ("X-A", "ä")),
    (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
    (
        ("Connection", "close"),
        ("Transfer-Encoding", "x"),
        ("Keep-Alive", "1"),
        ("Upgrade", "x"),
        ("TE", "x"),
    ),
    (("Server", "mine"), ("Date", "never"), ("Trailers", "x"), ("Proxy-Authenticate", "x")),
    (("ETag", '"x"'), ("Last-Modified", "then"), ("Expires", "now"), ("Content-Language", "de")),
    (("Allow", "GET"), ("Content-Encoding", "gzip"), ("Cache-Control", "no-cache"), ("Vary", "Origin")),
]


def test_headers_are_sent_that_are_not_the_connections() -> None:
    for status, headers in itertools.product([200, 204, 304, 404], HEADERS):
        expected = reference(Response(b"x", status, headers, content_type="text/plain"))
        made = response_head.build(status, None, headers, "text/plain", 1, True, b"")
        assert undated(made)[:2] == undated(expected)[:2], (status, headers)


def test_an_answer_may_have_no_content_type_and_no_length() -> None:
    made = response_head.build(200, None, (("a", "b"),), None, None, True, b"c: d\r\n")
    assert made.endswith(b"Connection: keep-alive\r\na: b\r\nc: d\r\n\r\n")


def test_the_order_is_that_of_flask_on_gunicorn() -> None:
    made = response_head.build(200, None, (("a", "b"),), "application/json", 2, True, b"x-request-id: r\r\n")
    names = [line.partition(b":")[0] for line in made.split(b"\r\n")[1:-2]]
    assert names == [
        *(b"Server", b"Date", b"Connection", b"a", b"x-request-id", b"Content-Type", b"Content-Length"),
    ]


def test_the_date_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = []
    for now in (1_000_000_000.0, 1_000_000_000.9, 1_000_000_001.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        dates.append(response_head.start(200, None, True).split(b"\r\n")[2])
    assert dates == [
        *(b"Date: Sun, 09 Sep 2001 01:46:40 GMT", b"Date: Sun, 09 Sep 2001 01:46:40 GMT"),
        b"Date: Sun, 09 Sep 2001 01:46:41 GMT",
    ]


@pytest.mark.parametrize("status", [400, 414, 417, 431, 500])
def test_what_is_no_request_is_answered_and_the_connection_ended(status: int) -> None:
    sent = response_head.malformed_request_response(error_response(status, "why", close=True))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
        *(b"x-ms-run-function-failed: False", b"Content-Type: application/json"),
        *(b"Content-Length: %d" % len(body), b"Connection: close"),
    ]
    assert body == b'{"message": "why"}'
