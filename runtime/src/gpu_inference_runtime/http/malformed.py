"""Malformed requests: gunicorn's parser decides wherever llhttp, the fast parser, might decide differently.

llhttp reads every request. If it refuses one, or if `suspicious` flags one, `classify` lets gunicorn's parser
read the same bytes, and that result counts. Statuses and request boundaries are therefore those of gunicorn
27. Such requests take longer than others, but still less time than they took with Flask.
"""

import re
from collections.abc import Mapping

from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.body import ChunkedReader
from gunicorn.http.message import RFC9110_6_5_1_FORBIDDEN_TRAILER, Request
from gunicorn.http.unreader import IterUnreader

from gpu_inference_script.response import Response, error_response
from gpu_inference_script.scoring import INTERNAL_ERROR

FORBIDDEN_TRAILERS = frozenset(name.lower().encode() for name in RFC9110_6_5_1_FORBIDDEN_TRAILER)
"""Headers, in lower case, that are errors in the trailer of a chunked body. llhttp accepts most of them."""

# gunicorn's own limits.
_MAX_LINE = 4094
_MAX_TARGET = _MAX_LINE - len("OPTIONS  HTTP/1.1")
_MAX_FIELD = 8190
_MAX_HEADERS = 100
_MAX_HEAD = _MAX_HEADERS * (_MAX_FIELD + 2) + 4
# More digits than any length has, and fewer than Python's limit for int().
_MAX_DIGITS = 20
# llhttp refuses lengths beyond 64 bits; no body is this long.
_MAX_BODY = 1 << 62

_METHODS = frozenset({b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH"})
_VERSIONS = frozenset({"1.0", "1.1"})
# llhttp accepts spaces around the target, RTSP instead of HTTP, and empty lines before the request.
_ORDINARY_LINE = re.compile(rb"(?:GET|POST|HEAD|OPTIONS|PUT|DELETE|PATCH) /[!-~]*+ HTTP/1\.[01]\r\n")
_SURE_MEANINGS = {b"transfer-encoding": b"chunked", b"expect": b"100-continue"}
_ODD_NAMES = frozenset({*_SURE_MEANINGS, b"upgrade", b"proxy-connection"})
_USUAL_LINE = b"POST /score HTTP/1.1\r\n"
# Common headers of clients, browsers and proxies that mean nothing special to either parser.
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

# The first that matches counts.
_CLIENT_ERRORS: tuple[tuple[type[Exception], int, str], ...] = (
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
    # No client's headers may change the path or the scheme of a request.
    config.set("forwarded_allow_ips", "")
    return config


_CONFIG = _config()
_NO_PEER = ("", 0)


class Parsed:
    """A request's head as gunicorn's parser read it.

    Args:
        data: the head, and possibly what follows it.
        request: gunicorn's request object.
        head_length: bytes of the head, including the empty line at its end.
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
        # The response only depends on this: a 1.0 client gets no chunks.
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
        """Return the head without what gunicorn ignores."""
        line = b"%b %b HTTP/%b" % (self.method, self.target, self.number)
        return b"\r\n".join([line, *(b"%b: %b" % pair for pair in self.pairs), b"", b""])

    def sanitized(self) -> bytes:
        """Return a head that makes llhttp read the body as gunicorn would.

        It holds nothing else of the request, because gunicorn accepts methods and targets that llhttp
        refuses: take everything but the body from this object.
        """
        lines = [b"POST / HTTP/1.1"]
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
        elif self.content_length is not None:
            lines.append(b"Content-Length: %d" % min(self.content_length, _MAX_BODY))
        if not self.keeps:
            lines.append(b"Connection: close")
        return b"\r\n".join([*lines, b"", b""])


def suspicious(
    method: bytes, target: bytes, headers: Mapping[bytes, bytes], count: int, version: str, head: bytes
) -> bool:
    """Return whether gunicorn might read a request differently from llhttp, or refuse it.

    If not, llhttp's result differs from gunicorn's at most in spaces at the end of a header's value.

    Args:
        method: as llhttp read it.
        target: as llhttp read it.
        headers: with lower-case names; the values of a repeated header are joined by commas.
        count: number of header lines.
        version: the HTTP version as llhttp read it.
        head: the bytes of the head, and of anything before it that is not another request. Empty if they are
            no longer available; spaces and empty lines then go unnoticed.
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
        or count > _MAX_HEADERS
        or (count != len(headers) and _repeats(headers))
        or ((size > _MAX_LINE or len(target) > _MAX_TARGET) and _is_large(target, headers, size))
    )


def classify(data: bytes) -> Response | Parsed | None:
    """Let gunicorn parse the bytes since the last request.

    Returns:
        The head, or the response that refuses it; None if the head is not complete yet.
    """
    unreader = IterUnreader([data])
    try:
        request = Request(_CONFIG, unreader, _NO_PEER)
    except (errors.NoMoreData, StopIteration):
        return error_to_response(errors.LimitRequestHeaders("")) if len(data) > _MAX_HEAD else None
    except Exception as error:
        return error_to_response(error)
    return Parsed(data, request, len(data) - unreader.buf.getbuffer().nbytes)


def error_to_response(error: Exception) -> Response:
    """Return the response to an error of gunicorn's parser, without quoting the request's secrets."""
    for kind, status, message in _CLIENT_ERRORS:
        if isinstance(error, kind):
            return error_response(status, message, close=True)
    return error_response(500, INTERNAL_ERROR, close=True)


def unreadable_response() -> Response:
    """Return the response to a request that llhttp refuses and whose bytes are no longer available."""
    return error_to_response(errors.ParseException())


def _has_odd_name(headers: Mapping[bytes, bytes], version: str) -> bool:
    """Return whether one parser drops a header that the other keeps, or reads it differently."""
    if not _ODD_NAMES.isdisjoint(headers):
        for name, value in _SURE_MEANINGS.items():
            if name in headers and (headers[name].lower() != value or version != "1.1"):
                return True
        if b"upgrade" in headers or b"proxy-connection" in headers:
            return True
    return b"_" in b"".join(headers)


def _repeats(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a header may be repeated that must not be. llhttp checks Content-Length itself."""
    return b"," in headers.get(b"host", b"") or b"," in headers.get(b"content-type", b"")


def _is_large(target: bytes, headers: Mapping[bytes, bytes], size: int) -> bool:
    return (
        size > _MAX_FIELD
        or len(target) > _MAX_TARGET
        or len(headers.get(b"content-length", b"")) > _MAX_DIGITS
    )


def _pairs(head: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers as sent, without names that have an underscore: gunicorn drops those."""
    lines = head.removeprefix(b"\r\n").split(b"\r\n")[1:-2]
    parts = [line.partition(b":") for line in lines]
    return [(name, value.strip(b" \t")) for name, _, value in parts if b"_" not in name]
