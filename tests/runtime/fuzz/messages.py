"""What clients send, right and wrong: hypothesis strategies that make the very bytes of HTTP/1.1 requests."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st
from tests.runtime.fuzz.oddities import (
    AUTHORIZATIONS,
    CHUNKED,
    CODINGS,
    CONTENT_TYPES,
    HEADERS,
    LENGTHS,
    METHODS,
    PATHS,
    TARGETS,
    VERSIONS,
)
from tests.runtime.fuzz.targets import BODY_LIMIT, CANARY


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


@st.composite
def _chunks(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in well-formed chunks."""
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(body))), max_size=3, unique=True)))
    parts = [
        body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True) if begin < end
    ]
    size = draw(st.sampled_from([b"%x", b"%X", b"0%x", b"%x;a=b"]))
    return b"".join(size % len(part) + b"\r\n" + part + b"\r\n" for part in parts)


# Requests that any server must take

_PLAIN_HEADERS = st.sampled_from(
    [
        *("Accept: */*", "x-request-id: r1", f"traceparent: 00-{'a' * 32}-{'b' * 16}-01"),
        *("Connection: keep-alive", f"X-Other: {CANARY}", "Origin: http://page.example"),
    ]
)


@st.composite
def right_request(draw: st.DrawFn, body: bytes) -> bytes:
    """A POST of the body that nothing is wrong with, framed in any of the ways there are."""
    headers = ["Host: x", f"Authorization: {draw(st.sampled_from(AUTHORIZATIONS))}"]
    headers += [f"Content-Type: {draw(st.sampled_from(CONTENT_TYPES))}"]
    headers += draw(st.lists(_PLAIN_HEADERS, max_size=2, unique=True))
    if draw(st.booleans()):
        framing, data = f"Content-Length: {len(body)}", body
    else:
        trailer = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
        framing, data = "Transfer-Encoding: chunked", draw(_chunks(body)) + b"0\r\n" + trailer + b"\r\n"
    headers.insert(draw(st.integers(0, len(headers))), framing)
    line = f"POST {draw(st.sampled_from(PATHS))} HTTP/1.1"
    return _head(line.encode(), [header.encode() for header in headers]) + data


# Requests that anything may be wrong with

_QUERIES = st.one_of(
    st.just(b""),
    st.dictionaries(st.text(max_size=4), st.text(max_size=6) | st.just(CANARY), max_size=3).map(
        lambda pairs: (
            "?" + "&".join(quote(f"{name}={value}", "=", errors="replace") for name, value in pairs.items())
        ).encode()
    ),
    st.sampled_from([b"?rows=[[1,2]]&name=x", b"?rows=[[1,2]]&rows=[[3]]", b"?%ff=%fe", b"?=&;&", b"?a=NaN"]),
    st.just(b"?q=" + CANARY.encode() + b"&q=%" + b"&" * 50),
)


@st.composite
def _framed(draw: st.DrawFn, body: bytes) -> tuple[list[bytes], bytes]:
    """Headers that say how long the body is, and what is sent as it: mostly, they fit each other."""
    how = draw(st.sampled_from(["right"] * 6 + ["chunked"] * 4 + ["length", "none", "two", "both"]))
    right = b"Content-Length: %d" % len(body)
    if how == "right":
        return [right], body
    if how == "length":
        off = b"%d" % max(0, len(body) + draw(st.integers(-5, 5)))
        return [b"Content-Length: " + draw(st.sampled_from([*LENGTHS, off]))], body
    if how == "two":
        return [right, draw(st.sampled_from([right, b"Content-Length: 3", b"Content-Length: 0"]))], body
    if how == "none":
        return [], body
    coding = b"Transfer-Encoding: " + draw(st.sampled_from(CODINGS))
    whole = draw(_chunks(body)) + b"0\r\n\r\n"
    data = draw(st.sampled_from([whole, *CHUNKED]))
    return ([coding, right] if how == "both" else [coding]), data


@st.composite
def _any_request(draw: st.DrawFn) -> tuple[bytes, str]:
    """A request, and its method."""
    method = draw(st.sampled_from(METHODS))
    target = draw(st.sampled_from(TARGETS)) + draw(_QUERIES)
    line = b" ".join((method.encode(), target, draw(st.sampled_from(VERSIONS))))
    framing, body = draw(BODIES.flatmap(_framed))
    headers = [*draw(st.lists(st.sampled_from(HEADERS), max_size=5)), *framing]
    return _head(line, draw(st.permutations(headers))) + body, method


_CUTS = st.lists(st.integers(0, 10_000), max_size=3).map(tuple)
_GARBAGE = st.sampled_from(
    [b""] * 6 + [b"\r\n", b"\x16\x03\x01", CANARY.encode() + b" x y\r\n\r\n", b"\x00" * 30]
)


@st.composite
def anything(draw: st.DrawFn) -> Sent:
    """One connection's bytes: requests with anything wrong, garbage between them, cut anywhere."""
    requests = draw(st.lists(_any_request(), min_size=1, max_size=3))
    # Where what one request is cannot be told, neither can be whether the answer is one to HEAD.
    if any(method == "HEAD" for _, method in requests):
        requests = requests[:1]
    data = b""
    for request, _ in requests:
        data += request + draw(_GARBAGE)
    if draw(st.integers(0, 9)) == 0:
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
