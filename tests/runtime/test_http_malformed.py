"""Whose reading of a head holds: llhttp's where gunicorn's is the same, gunicorn's everywhere else."""

import json
from typing import Any

import httptools
import pytest
from gunicorn.config import Config
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.runtime.fuzz.messages import each_oddity
from tests.runtime.nasty_heads import (
    ALIKE,
    GUNICORNS_WAY,
    INCOMPLETE,
    NOBODY_TAKES,
    ONLY_GUNICORN_TAKES,
    ONLY_LLHTTP_TAKES,
)

from gpu_inference_runtime.http import malformed
from gpu_inference_runtime.http.malformed import Parsed
from gpu_inference_script.response import Response

# Method, target, version, headers, whether the body is in chunks, its length, whether the connection is kept.
Reading = tuple[bytes, bytes, str, list[tuple[bytes, bytes]], bool, int | None, bool]

CONFIG = Config()
CONFIG.set("http_parser", "python")
ODDITIES = [sent.data for sent in each_oddity()]
TAKEN = [*ALIKE, *GUNICORNS_WAY, *ONLY_GUNICORN_TAKES]
EVERYTHING = [*TAKEN, *ONLY_LLHTTP_TAKES, *NOBODY_TAKES, *INCOMPLETE, *ODDITIES]
# What is put into heads, to make others of them.
PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b",",
        b"_",
        b"\x00",
        b"\x7f",
        b"\xff",
        b"\x0b",
        b"#",
        b"?",
        b"*",
    ),
    *(
        b"Host: x\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X_Y: z\r\n",
        b" folded\r\n",
    ),
    *(
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"Upgrade: x\r\n",
        b"b: c\r\n" * 101,
        b"a" * 4100,
    ),
    *(
        b"HTTP/1.0",
        b"HTTP/1.1",
        b"HTTP/2.0",
        b"RTSP/1.0",
        b"CONNECT ",
        b"http://h/",
        b"0" * 30,
        b"gzip, ",
        b"; q",
    ),
]


class Llhttp:
    """What llhttp, as the front uses it, makes of bytes."""

    def __init__(self, data: bytes) -> None:
        self.target = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False
        self.reading: Reading | None = None
        self.suspicious = False
        self._data = data
        self._headers: dict[bytes, bytes] = {}
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.error: Exception | None = error
        else:
            self.error = None

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.reading is None:
            self.pairs.append((name, value.strip(b" \t")))
            name = name.lower()
            before = self._headers.get(name)
            self._headers[name] = value if before is None else before + b"," + value

    def on_headers_complete(self) -> None:
        if self.reading is not None:
            return
        method, version = self._parser.get_method(), self._parser.get_http_version()
        end = self._data.find(b"\r\n\r\n")
        head = self._data[: end + 4] if end >= 0 else b""
        count = len(self.pairs)
        self.suspicious = malformed.suspicious(method, self.target, self._headers, count, version, head)
        # More digits than Python reads are suspicious.
        length = None if self.suspicious else self._headers.get(b"content-length")
        self.reading = (
            *(method, self.target, version, self.pairs, b"transfer-encoding" in self._headers),
            *(None if length is None else int(length), self._parser.should_keep_alive()),
        )

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def gunicorns_reading(data: bytes) -> Reading | Exception:
    """Read as the worker of gunicorn does that a client reaches over the network."""
    try:
        request = Request(CONFIG, IterUnreader([data]), ("192.0.2.1", 1))
    except (ParseException, NoMoreData) as error:
        refused: Exception = error
        return refused
    lengths = [int(value) for name, value in request.headers if name == "CONTENT-LENGTH"]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers]
    method: bytes = request.method.encode()
    reading: Reading = (
        *(method, request.uri.encode(), ".".join(map(str, request.version)), headers),
        isinstance(request.body.reader, ChunkedReader),
        *(lengths[0] if lengths else None, not request.should_close()),
    )
    return reading


def message_of(answer: Response) -> str:
    assert isinstance(answer.body, bytes)
    text: str = json.loads(answer.body)["message"]
    return text


def in_capitals(reading: Reading) -> Reading:
    method, target, version, pairs, *rest = reading
    return (method, target, version, [(name.upper(), value) for name, value in pairs], *rest)  # type: ignore[return-value]


def check_that_llhttp_is_trusted_only_where_gunicorn_agrees(data: bytes) -> None:
    seen = Llhttp(data)
    if seen.reading is not None and not seen.suspicious:
        assert in_capitals(seen.reading) == gunicorns_reading(data), data


def test_heads_are_suspicious_or_read_as_by_gunicorn() -> None:
    for data in EVERYTHING:
        check_that_llhttp_is_trusted_only_where_gunicorn_agrees(data)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(EVERYTHING))
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, min(len(data), 400)))
        end = begin + draw(st.integers(0, 3))
        data = data[:begin] + draw(st.sampled_from(PIECES) | st.binary(max_size=1)) + data[end:]
    return data


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(spoiled())
def test_spoiled_heads_are_suspicious_or_read_as_by_gunicorn(data: bytes) -> None:
    check_that_llhttp_is_trusted_only_where_gunicorn_agrees(data)


def test_no_byte_at_any_place_is_read_differently_unsuspected() -> None:
    for place in [0, 4, 5, 11, 20, 22, 26, 28, 29, 45, 60, 73]:
        head = (
            b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\nX-A: b\r\n\r\nabc"
        )
        for byte in range(256):
            for after in (place, place + 1):
                data = head[:place] + bytes([byte]) + head[after:]
                check_that_llhttp_is_trusted_only_where_gunicorn_agrees(data)


def test_ordinary_requests_are_not_suspicious() -> None:
    for data in ALIKE:
        seen = Llhttp(data)
        assert seen.reading is not None, data
        assert not seen.suspicious, data


def test_what_the_parsers_may_disagree_about_is_suspicious() -> None:
    for data in [*GUNICORNS_WAY, *ONLY_LLHTTP_TAKES]:
        seen = Llhttp(data)
        assert seen.reading is not None, data
        assert seen.suspicious, data


def test_what_llhttp_refuses_is_known() -> None:
    for data in [*ONLY_GUNICORN_TAKES, *NOBODY_TAKES]:
        assert Llhttp(data).reading is None, data


def test_what_gunicorn_takes_is_handed_on_as_it_reads_it() -> None:
    for data in TAKEN:
        parsed = malformed.classify(data)
        assert isinstance(parsed, Parsed), data
        found: Any = (parsed.method, parsed.target, parsed.number.decode(), parsed.pairs)
        found = in_capitals((*found, parsed.chunked, parsed.content_length, parsed.keeps))
        assert found == gunicorns_reading(data), data
        assert data[parsed.head_length - 4 : parsed.head_length] == b"\r\n\r\n", data
        # Handed on once more, it stays the same.
        again = malformed.classify(parsed.head())
        assert isinstance(again, Parsed), data
        assert (again.head(), again.pairs, again.headers) == (parsed.head(), parsed.pairs, parsed.headers), (
            data
        )


def test_llhttp_reads_the_body_behind_what_gunicorn_took() -> None:
    for data in TAKEN:
        parsed = malformed.classify(data)
        assert isinstance(parsed, Parsed), data
        body = b"5\r\nhello\r\n0\r\n\r\n" if parsed.chunked else b"hello"[: parsed.content_length or 0]
        seen = Llhttp(parsed.sanitized() + body)
        assert seen.error is None, data
        assert seen.reading is not None, data
        assert seen.reading[-1] == parsed.keeps, data
        assert seen.body == (b"hello" if parsed.chunked else body), data
        # Some say that more will come than anybody can send.
        assert seen.complete is ((parsed.content_length or 0) <= 5), data


def test_what_gunicorn_refuses_has_its_status_and_is_not_quoted() -> None:
    for data, status in [*(ONLY_LLHTTP_TAKES | NOBODY_TAKES).items()]:
        answer = malformed.classify(data)
        assert isinstance(answer, Response), (data, status)
        assert (answer.status, answer.close) == (status, True), (data, status)
        assert answer.headers == (("x-ms-run-function-failed", "False"),), (data, status)
        assert message_of(answer) in [text for _, _, text in malformed._CLIENT_ERRORS], (data, status)


def test_half_a_head_is_waited_for() -> None:
    for data in INCOMPLETE:
        assert malformed.classify(data) is None, data


def test_half_a_head_is_refused_as_soon_as_it_cannot_be_mended() -> None:
    for data, status in [
        (b"a-secret\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost", 400),
        (b"GET / HTTP/1.1\r\nHost: x\nA", 400),
        (b"GET /" + b"x" * 4200, 414),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 820_000, 431),
    ]:
        answer = malformed.classify(data)
        assert isinstance(answer, Response), (data, status)
        assert answer.status == status, (data, status)


def test_names_that_wsgi_confuses_are_left_out() -> None:
    parsed = malformed.classify(b"GET / HTTP/1.1\r\nX_A: 1\r\nX-A: 2\r\nx-a: 3\r\nSCRIPT_NAME: /a\r\n\r\n")
    assert isinstance(parsed, Parsed)
    assert parsed.pairs == [(b"X-A", b"2"), (b"x-a", b"3")]
    assert parsed.headers == {b"x-a": b"2,3"}
    assert parsed.head() == b"GET / HTTP/1.1\r\nX-A: 2\r\nx-a: 3\r\n\r\n"


@pytest.mark.parametrize(("version", "expects"), [(b"1.1", True), (b"1.0", False)])
def test_an_expectation_counts_from_http_1_1_on(version: bytes, expects: bool) -> None:
    parsed = malformed.classify(b"POST / HTTP/%b\r\nExpect: 100-Continue\r\n\r\n" % version)
    assert isinstance(parsed, Parsed)
    assert parsed.expects_continue is expects


def test_a_head_whose_bytes_are_gone_is_judged_by_what_llhttp_read() -> None:
    def judged(
        method: bytes = b"POST", target: bytes = b"/score", version: str = "1.1", **more: bytes
    ) -> bool:
        headers = {name.replace("_", "-").encode(): value for name, value in more.items()}
        return malformed.suspicious(method, target, headers, len(headers), version, b"")

    assert not judged(host=b"x", content_length=b"5", x_other=b"a" * 5000)
    assert not judged(transfer_encoding=b"chunked", expect=b"100-continue")
    assert judged(method=b"CONNECT")
    assert judged(target=b"http://x/score")
    assert judged(target=b"/" + b"a" * 4090)
    assert judged(version="2.0")
    assert judged(version="1.0", transfer_encoding=b"chunked")
    assert judged(transfer_encoding=b"gzip, chunked")
    assert judged(expect=b"x")
    assert judged(x_other=b"a" * 8191)


def test_headers_behind_a_body_that_break_it_are_known() -> None:
    for name, forbidden in [(b"authorization", True), (b"host", True), (b"te", True), (b"x-sum", False)]:
        assert (name in malformed.FORBIDDEN_TRAILERS) is forbidden, (name, forbidden)


def test_a_request_whose_bytes_are_gone_is_answered_like_any_other() -> None:
    answer = malformed.unreadable_response()
    assert (answer.status, answer.close) == (400, True)
    assert message_of(answer) == "The request's headers are not proper HTTP."


def test_an_error_that_is_not_the_clients_is_500() -> None:
    answer = malformed.error_to_response(ValueError("a-secret"))
    assert (answer.status, answer.close) == (500, True)
    assert "a-secret" not in repr(answer)
