"""What clients send, right and wrong: hypothesis strategies that make the very bytes of HTTP/1.1 requests."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from tests.runtime.fuzz.oddities import (
    CHUNKS,
    CODINGS,
    FORM_TYPES,
    FORMS,
    GARBAGE,
    HEADERS,
    LENGTHS,
    METHODS,
    QUERIES,
    TARGETS,
    VERSIONS,
)
from tests.runtime.fuzz.targets import BODY_LIMIT, CANARY, KEY, SECOND_KEY


@dataclass(frozen=True)
class Sent:
    """What goes over one connection.

    Args:
        data: all its bytes.
        methods: of the requests in it, as far as they can be told.
        cuts: where the bytes are cut into pieces that are sent one by one.
    """

    data: bytes
    methods: tuple[str, ...]
    cuts: tuple[int, ...]

    @property
    def pieces(self) -> list[bytes]:
        places = sorted({cut % (len(self.data) + 1) for cut in self.cuts})
        ends = [*places, len(self.data)]
        return [self.data[begin:end] for begin, end in zip([0, *places], ends, strict=True) if begin < end]


def _head(line: bytes, headers: Sequence[bytes]) -> bytes:
    return b"\r\n".join((line, *headers)) + b"\r\n\r\n"


# Bodies

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_ROWS = st.lists(st.lists(st.integers() | st.floats() | st.just(CANARY), max_size=3), max_size=3) | _JSON
_SCHEMA = st.fixed_dictionaries({}, optional={"rows": _ROWS, "name": _JSON, CANARY: _JSON})
_MULTIPART = st.builds(
    lambda name, data, end: (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="' + name + b'"\r\n\r\n' + data + end
    ),
    st.sampled_from([b"a.png", b"", b'"', b"../../x", "ä".encode(), b"a" * 300]),
    st.binary(max_size=40),
    st.sampled_from([b"\r\n--b--\r\n", b"\r\n--b\r\n", b"", b"\r\n--b", b"\r\n--b--", b"\r\n--bb--\r\n"]),
)
BODIES = st.one_of(
    _JSON.map(json.dumps).map(str.encode),
    _SCHEMA.map(json.dumps).map(str.encode),
    st.text(max_size=30).map(lambda text: (text + CANARY).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
    _MULTIPART,
    st.sampled_from([b"", b"{", b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00", b"[" * 2000, b"a=1&b=%zz&c"]),
    st.integers(BODY_LIMIT - 1, BODY_LIMIT + 2).map(lambda size: b"x" * size),
)
_USUAL_BODIES = st.sampled_from([b'{"rows": [[1.0, 2.0]], "name": "x"}', b"hello", CANARY.encode()])
_QUERIES = st.dictionaries(st.text(max_size=4), st.text(max_size=6), max_size=3).map(
    lambda pairs: (
        "?" + "&".join(quote(f"{name}={value}", "=", errors="replace") for name, value in pairs.items())
    ).encode()
)


@st.composite
def _chunks(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in well-formed chunks."""
    cuts = sorted({draw(st.integers(0, len(body))) for _ in range(draw(st.integers(0, 3)))})
    parts = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"%x;a=b"]))
    return b"".join(size % len(part) + b"\r\n" + part + b"\r\n" for part in parts if part)


# Requests that any server must take

PATHS = (b"/score", b"/api/v1/service/mnist/score")
AUTHORIZATIONS = [
    b"Authorization: Bearer " + KEY.encode(),
    b"authorization: bearer " + SECOND_KEY.encode(),
    b"AUTHORIZATION:  BEARER  " + KEY.encode() + b" ",
]
CONTENT_TYPES = [
    b"Content-Type: application/json",
    b"content-type:application/json; charset=utf-8",
    b"Content-Type: application/problem+json",
]
_FURTHER_HEADERS = [
    b"Accept: */*",
    b"Connection: keep-alive",
    b"Origin: http://page.example",
    b"X-Other: " + CANARY.encode(),
    b"x-request-id: r1",
]


@st.composite
def right_request(draw: st.DrawFn, body: bytes) -> bytes:
    """A POST of the body that nothing is wrong with, framed in any of the ways there are."""
    headers = [b"Host: x", draw(st.sampled_from(AUTHORIZATIONS)), draw(st.sampled_from(CONTENT_TYPES))]
    headers += draw(st.lists(st.sampled_from(_FURTHER_HEADERS), max_size=2, unique=True))
    if draw(st.booleans()):
        framing, data = b"Content-Length: %d" % len(body), body
    else:
        trailer = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
        framing, data = b"Transfer-Encoding: chunked", draw(_chunks(body)) + b"0\r\n" + trailer + b"\r\n"
    headers.insert(draw(st.integers(0, len(headers))), framing)
    return _head(b"POST " + draw(st.sampled_from(PATHS)) + b" HTTP/1.1", headers) + data


# Requests that something is wrong with

_PARTS = ("method", "target", "query", "version", "headers", "length", "chunks", "body", "form")


def each_oddity() -> Iterator[Sent]:
    """Yield requests that are right but for one part each: every oddity there is, once."""
    usual = [b"Host: x", AUTHORIZATIONS[0], CONTENT_TYPES[0]]
    length = b"Content-Length: 5"

    def sent(
        method: str = "POST",
        target: bytes = PATHS[0],
        version: bytes = b"HTTP/1.1",
        headers: Sequence[bytes] = (*usual, length),
        body: bytes = b"hello",
    ) -> Sent:
        return Sent(_head(b" ".join((method.encode(), target, version)), headers) + body, (method,), ())

    yield from (sent(method=method) for method in METHODS)
    yield from (sent(target=target) for target in TARGETS)
    yield from (sent(method="GET", target=PATHS[0] + query) for query in QUERIES)
    yield from (sent(version=version) for version in VERSIONS)
    for header in HEADERS:
        name = header.partition(b":")[0].lower()
        others = [each for each in usual if each.partition(b":")[0].lower() != name]
        yield sent(headers=[*others, header, length])
        yield sent(headers=[*usual, header, length])
    yield from (sent(headers=[*usual, b"Content-Length: " + value]) for value in LENGTHS)
    yield from (sent(headers=[*usual, length, second]) for second in (length, b"Content-Length: 3"))
    whole = b"5\r\nhello\r\n0\r\n\r\n"
    for coding in (b"Transfer-Encoding: " + value for value in CODINGS):
        yield sent(headers=[*usual, coding], body=whole)
        yield sent(headers=[*usual, coding, length], body=whole)
    yield from (sent(headers=[*usual, b"Transfer-Encoding: chunked"], body=chunks) for chunks in CHUNKS)
    yield from (sent(body=b"hello" + garbage) for garbage in GARBAGE)
    for kind in FORM_TYPES:
        for form in FORMS:
            yield sent(headers=[*usual[:2], kind, b"Content-Length: %d" % len(form)], body=form)
    yield from (Sent(sent().data[:size], ("POST",), ()) for size in range(0, len(sent().data), 9))


@st.composite
def _any_request(draw: st.DrawFn) -> tuple[bytes, str]:
    """A request with up to three parts that are wrong or rare, or with none; and its method."""
    odd = draw(st.sets(st.sampled_from(_PARTS), max_size=3))

    def part(name: str, usual: st.SearchStrategy[Any], rare: Sequence[Any]) -> Any:
        return draw(st.sampled_from(rare) if name in odd else usual)

    method = part("method", st.sampled_from(["POST", "POST", "GET"]), METHODS)
    target = part("target", st.sampled_from(PATHS), TARGETS)
    query = draw(st.sampled_from(QUERIES) | _QUERIES) if "query" in odd else b""
    line = b" ".join((method.encode(), target + query, part("version", st.just(b"HTTP/1.1"), VERSIONS)))
    headers = [b"Host: x", draw(st.sampled_from(AUTHORIZATIONS)), draw(st.sampled_from(CONTENT_TYPES))]
    if "headers" in odd:
        # In the place of a right one, or beside it.
        headers = headers[: draw(st.integers(0, 3))]
        headers += draw(st.lists(st.sampled_from(HEADERS), min_size=1, max_size=3))
    body = draw(BODIES) if "body" in odd else draw(_USUAL_BODIES)
    if "form" in odd:
        headers[2:3], body = [draw(st.sampled_from(FORM_TYPES))], draw(_MULTIPART | st.sampled_from(FORMS))
    framing, data = draw(_framed(body, odd))
    return _head(line, [*headers, *framing]) + data, method


@st.composite
def _framed(draw: st.DrawFn, body: bytes, odd: set[str]) -> tuple[list[bytes], bytes]:
    """Headers that say how long the body is, and what is sent as it."""
    right = b"Content-Length: %d" % len(body)
    if "chunks" in odd:
        coding = b"Transfer-Encoding: " + draw(st.just(b"chunked") | st.sampled_from(CODINGS))
        whole = draw(_chunks(body)) + b"0\r\n\r\n"
        data = draw(st.just(whole) | st.sampled_from(CHUNKS))
        return ([coding, right] if "length" in odd else [coding]), data
    if "length" not in odd:
        return [right], body
    off = b"Content-Length: %d" % max(0, len(body) + draw(st.integers(-5, 5)))
    wrong = draw(
        st.sampled_from([[], [off], [right, off], [right, right]]) | st.sampled_from(LENGTHS).map(_length)
    )
    return wrong, body


def _length(value: bytes) -> list[bytes]:
    return [b"Content-Length: " + value]


_CUTS = st.lists(st.integers(0, 10_000), max_size=3).map(tuple)


@st.composite
def anything(draw: st.DrawFn) -> Sent:
    """One connection's bytes: requests with anything wrong, garbage between them, cut anywhere."""
    requests = draw(st.lists(_any_request(), min_size=1, max_size=3))
    # Where what one request is cannot be told, neither can be whether the answer is one to HEAD.
    if any(method == "HEAD" for _, method in requests):
        requests = requests[:1]
    garbage = draw(st.sampled_from(GARBAGE) | st.just(b""))
    data = garbage.join(request for request, _ in requests) + garbage
    ends = draw(st.sampled_from(["whole"] * 7 + ["early"]))
    if ends == "early":
        data = data[: draw(st.integers(0, len(data)))]
    return Sent(data, tuple(method for _, method in requests), draw(_CUTS))


@st.composite
def right_requests(draw: st.DrawFn) -> tuple[Sent, list[bytes]]:
    """Requests that nothing is wrong with, one after the other on one connection; and their bodies."""
    bodies = [
        draw(BODIES.filter(lambda body: len(body) <= BODY_LIMIT)) for _ in range(draw(st.integers(1, 4)))
    ]
    data = b"".join(draw(right_request(body)) for body in bodies)
    return Sent(data, ("POST",) * len(bodies), draw(_CUTS)), bodies
