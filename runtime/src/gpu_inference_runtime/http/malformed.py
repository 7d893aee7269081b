"""Which requests are proper HTTP: gunicorn's own parser decides wherever llhttp, the fast one, may differ.

llhttp reads every request. Where it refuses one, or has read one that `suspicious` points out, `classify` has
gunicorn's parser read the same bytes, and what that says holds: the statuses, and what counts as one request,
are those of gunicorn 27, byte for byte. A client that sends such requests costs more time than any other, but
only a few of the microseconds that Flask would have taken.
"""

import re
from collections.abc import Mapping

from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import RFC9110_6_5_1_FORBIDDEN_TRAILER, Request
from gunicorn.http.unreader import IterUnreader

from gpu_inference_script.messages import Answer, error_answer
from gpu_inference_script.scoring import INTERNAL_ERROR

FORBIDDEN_TRAILERS = frozenset(name.lower().encode() for name in RFC9110_6_5_1_FORBIDDEN_TRAILER)
"""Headers, in lower case, that break a body in chunks when they come behind it. llhttp takes most of them."""

# gunicorn's own limits.
_LONGEST_LINE = 4094
_LONGEST_TARGET = _LONGEST_LINE - len("OPTIONS  HTTP/1.1")
_LONGEST_FIELD = 8190
_MOST_HEADERS = 100
_LONGEST_HEAD = _MOST_HEADERS * (_LONGEST_FIELD + 2) + 4
# More digits than any length has, and fewer than Python reads.
_MOST_DIGITS = 20
# llhttp refuses more than eight bytes can count. So much never comes.
_LONGEST_BODY = 1 << 62

_METHODS = frozenset({b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH"})
_VERSIONS = frozenset({"1.0", "1.1"})
# llhttp takes spaces around the target, RTSP for HTTP, and empty lines before the request.
_ORDINARY_LINE = re.compile(rb"(?:GET|POST|HEAD|OPTIONS|PUT|DELETE|PATCH) /[!-~]*+ HTTP/1\.[01]\r\n")
_SURE_MEANINGS = {b"transfer-encoding": b"chunked", b"expect": b"100-continue"}
_ODD_NAMES = frozenset({*_SURE_MEANINGS, b"upgrade", b"proxy-connection"})
_USUAL_LINE = b"POST /score HTTP/1.1\r\n"
# What clients, browsers and proxies commonly send, and both parsers take for nothing special.
_COMMON_NAMES = frozenset(
    b"""
    accept accept-charset accept-encoding accept-language authorization cache-control connection
    content-encoding content-length content-type cookie date dnt forwarded from host if-modified-since
    if-none-match origin pragma priority range referer traceid traceparent tracestate user-agent via
    access-control-request-headers access-control-request-method baggage sec-ch-ua sec-ch-ua-mobile
    sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc
    upgrade-insecure-requests x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-correlation-id
    x-envoy-attempt-count x-envoy-expected-rq-timeout-ms x-envoy-external-address x-forwarded-client-cert
    x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-forwarded-scheme
    x-forwarded-server x-ms-client-request-id x-ms-request-id x-original-forwarded-for x-real-ip
    x-request-id x-requested-with x-scheme
    """.split()
)
_CONNECTIONS = frozenset({None, b"keep-alive", b"close", b"Keep-Alive", b"Close"})

# The first that fits holds.
_CLIENTS: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.LimitRequestLine, 414, "The request's first line, with path and query, is too long."),
    (errors.LimitRequestHeaders, 431, "The request's headers are too large."),
    (errors.ExpectationFailed, 417, "The only expectation that can be met is 100-continue."),
    (errors.UnsupportedTransferCoding, 400, "The only Transfer-Encoding that can be read is chunked."),
    (errors.InvalidRequestLine, 400, "The request's first line is not HTTP."),
    (errors.InvalidRequestMethod, 400, "The request's method is not HTTP's."),
    (errors.InvalidHTTPVersion, 400, "The request's version of HTTP is not 1.0 or 1.1."),
    (errors.ParseException, 400, "The request's headers are not proper HTTP."),
)


def _config() -> Config:
    config = Config()
    config.set("http_parser", "python")
    # Nobody's headers change the path, or the scheme, of a request.
    config.set("forwarded_allow_ips", "")
    return config


_CONFIG = _config()
_NOBODY = ("", 0)


class Parsed:
    """A request's head as gunicorn's parser has read it.

    Args:
        data: the head, and perhaps what followed it.
        request: gunicorn's own.
        head_length: bytes of the head, up to and with the empty line that ends it.
    """

    __slots__ = (
        "chunked",
        "content_length",
        "expects_continue",
        "head_length",
        "headers",
        "keeps",
        "method",
        "number",
        "pairs",
        "target",
        "version",
    )

    def __init__(self, data: bytes, request: Request, head_length: int) -> None:
        self.head_length = head_length
        self.method: bytes = request.method.encode("latin-1")
        self.target: bytes = request.uri.encode("latin-1")
        # Of the first number alone the answer must know: with 1.0 it has no chunks.
        self.version = "1.1" if request.version > (1, 0) else "1.0"
        self.number = ".".join(map(str, request.version)).encode()
        self.pairs = _pairs(data[:head_length])
        self.headers: dict[bytes, bytes] = {}
        for name, value in self.pairs:
            name = name.lower()
            self.headers[name] = self.headers[name] + b"," + value if name in self.headers else value
        self.chunked = isinstance(request.body.reader, ChunkedReader)
        length = self.headers.get(b"content-length")
        self.content_length = None if length is None else int(length)
        self.keeps = not request.should_close()
        self.expects_continue: bool = request._expected_100_continue

    def head(self) -> bytes:
        """Return the head without what gunicorn left out of it."""
        line = b"%b %b HTTP/%b" % (self.method, self.target, self.number)
        return b"\r\n".join([line, *(b"%b: %b" % pair for pair in self.pairs), b"", b""])

    def sanitized(self) -> bytes:
        """Return a head with which llhttp reads the body as gunicorn would.

        It has nothing else of the request: methods and targets that llhttp refuses are among what gunicorn
        takes, so that all but the body must be had from this object.
        """
        lines = [b"POST / HTTP/1.1"]
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
        elif self.content_length is not None:
            lines.append(b"Content-Length: %d" % min(self.content_length, _LONGEST_BODY))
        if not self.keeps:
            lines.append(b"Connection: close")
        return b"\r\n".join([*lines, b"", b""])


def suspicious(
    method: bytes, target: bytes, headers: Mapping[bytes, bytes], count: int, version: str, head: bytes
) -> bool:
    """Whether gunicorn might read, or refuse, otherwise what llhttp has read.

    Of what llhttp has read, only spaces at the end of a header's value are then not as gunicorn has it.

    Args:
        method: as llhttp read it.
        target: as llhttp read it.
        headers: with names in lower case; of one that came several times the values joined by commas.
        count: of the headers that came.
        version: HTTP's, as llhttp read it.
        head: the bytes of the head, with all that came before it on the connection and is no other request;
            empty where they are no longer there, so that spaces and empty lines are not seen.
    """
    if head:
        size = len(head)
        if not head.startswith(_USUAL_LINE) and _ORDINARY_LINE.match(head) is None:
            return True
    else:
        size = max(map(len, headers.values()), default=0)
        if method not in _METHODS or target[:1] != b"/" or version not in _VERSIONS:
            return True
    return (
        headers.get(b"connection") not in _CONNECTIONS
        or (not _COMMON_NAMES.issuperset(headers) and _has_odd_name(headers, version))
        or count > _MOST_HEADERS
        or (count != len(headers) and _repeats(headers))
        or ((size > _LONGEST_LINE or len(target) > _LONGEST_TARGET) and _is_large(target, headers, size))
    )


def classify(data: bytes) -> Answer | Parsed | None:
    """Return what gunicorn makes of the bytes since the last request: a head, or an answer that refuses it.

    None where it waits for more of the head.
    """
    unreader = IterUnreader([data])
    try:
        request = Request(_CONFIG, unreader, _NOBODY)
    except (errors.NoMoreData, StopIteration):
        return answer_to(errors.LimitRequestHeaders("")) if len(data) > _LONGEST_HEAD else None
    except Exception as error:
        return answer_to(error)
    return Parsed(data, request, len(data) - unreader.buf.getbuffer().nbytes)


def answer_to(error: Exception) -> Answer:
    """Return the answer to an error of gunicorn's. It does not quote the request, which may hold a key."""
    for kind, status, message in _CLIENTS:
        if isinstance(error, kind):
            return error_answer(status, message, close=True)
    return error_answer(500, INTERNAL_ERROR, close=True)


def answer_to_unknown() -> Answer:
    """Return the answer to a request that llhttp refuses and whose bytes are no longer there."""
    return answer_to(errors.ParseException())


def _has_odd_name(headers: Mapping[bytes, bytes], version: str) -> bool:
    """Whether there is a header that one of the parsers drops, or understands otherwise than the other."""
    if not _ODD_NAMES.isdisjoint(headers):
        for name, value in _SURE_MEANINGS.items():
            if name in headers and (headers[name].lower() != value or version != "1.1"):
                return True
        if b"upgrade" in headers or b"proxy-connection" in headers:
            return True
    return b"_" in b"".join(headers)


def _repeats(headers: Mapping[bytes, bytes]) -> bool:
    """Whether there may be two headers of a name that may come once. llhttp sees to Content-Length."""
    return b"," in headers.get(b"host", b"") or b"," in headers.get(b"content-type", b"")


def _is_large(target: bytes, headers: Mapping[bytes, bytes], size: int) -> bool:
    return (
        size > _LONGEST_FIELD
        or len(target) > _LONGEST_TARGET
        or len(headers.get(b"content-length", b"")) > _MOST_DIGITS
    )


def _pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers as they came. Those with an underscore gunicorn leaves out: WSGI confuses them."""
    lines = head.removeprefix(b"\r\n").split(b"\r\n")[1:-2]
    parts = [line.partition(b":") for line in lines]
    return [(name, value.strip(b" \t")) for name, _, value in parts if b"_" not in name]
