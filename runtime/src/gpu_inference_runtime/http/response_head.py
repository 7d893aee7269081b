"""Response heads: status line and headers, spelled exactly as gunicorn and Flask spell them."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from gpu_inference_script.response import Response

# Werkzeug's reason phrases.
_REASON_TEXT = """
100 CONTINUE | 101 SWITCHING PROTOCOLS | 102 PROCESSING | 103 EARLY HINTS | 200 OK | 201 CREATED |
202 ACCEPTED | 203 NON AUTHORITATIVE INFORMATION | 204 NO CONTENT | 205 RESET CONTENT |
206 PARTIAL CONTENT | 207 MULTI STATUS | 208 ALREADY REPORTED | 226 IM USED | 300 MULTIPLE CHOICES |
301 MOVED PERMANENTLY | 302 FOUND | 303 SEE OTHER | 304 NOT MODIFIED | 305 USE PROXY |
306 SWITCH PROXY | 307 TEMPORARY REDIRECT | 308 PERMANENT REDIRECT | 400 BAD REQUEST |
401 UNAUTHORIZED | 402 PAYMENT REQUIRED | 403 FORBIDDEN | 404 NOT FOUND | 405 METHOD NOT ALLOWED |
406 NOT ACCEPTABLE | 407 PROXY AUTHENTICATION REQUIRED | 408 REQUEST TIMEOUT | 409 CONFLICT |
410 GONE | 411 LENGTH REQUIRED | 412 PRECONDITION FAILED | 413 REQUEST ENTITY TOO LARGE |
414 REQUEST URI TOO LONG | 415 UNSUPPORTED MEDIA TYPE | 416 REQUESTED RANGE NOT SATISFIABLE |
417 EXPECTATION FAILED | 418 I'M A TEAPOT | 421 MISDIRECTED REQUEST | 422 UNPROCESSABLE ENTITY |
423 LOCKED | 424 FAILED DEPENDENCY | 425 TOO EARLY | 426 UPGRADE REQUIRED |
428 PRECONDITION REQUIRED | 429 TOO MANY REQUESTS | 431 REQUEST HEADER FIELDS TOO LARGE |
449 RETRY WITH | 451 UNAVAILABLE FOR LEGAL REASONS | 500 INTERNAL SERVER ERROR | 501 NOT IMPLEMENTED |
502 BAD GATEWAY | 503 SERVICE UNAVAILABLE | 504 GATEWAY TIMEOUT | 505 HTTP VERSION NOT SUPPORTED |
506 VARIANT ALSO NEGOTIATES | 507 INSUFFICIENT STORAGE | 508 LOOP DETECTED | 510 NOT EXTENDED |
511 NETWORK AUTHENTICATION FAILED
"""
_REASONS = {
    int(status): words
    for status, _, words in (each.strip().partition(" ") for each in _REASON_TEXT.split("|"))
}
# The server sets the headers of the connection itself. A 304 response has no body, hence no body headers.
_NEVER = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers"}
    | {"transfer-encoding", "upgrade", "server", "date", "content-length"}
)
_NEVER_OF_304 = _NEVER | {
    *("allow", "content-encoding", "content-language", "content-md5", "content-range"),
    *("content-type", "last-modified"),
}


class _Starts:
    """Makes the first lines of responses, each at most once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = ""
        self._kept: dict[tuple[int, bool, str], bytes] = {}

    def start(self, status: int, reason: str | None, keeps: bool, version: str = "1.1") -> bytes:
        """Return the status line and the headers `Server`, `Date` and `Connection`.

        Args:
            status: the status code.
            reason: the reason phrase; None or empty for the standard one.
            keeps: whether the connection stays open.
            version: the client's HTTP version.
        """
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = formatdate(now, usegmt=True)
            self._kept.clear()
        if reason is not None and (reason := reason.rstrip()):
            return self._make(status, reason, keeps, version)
        key = (status, keeps, version)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._make(status, _REASONS.get(status, "UNKNOWN"), keeps, version)
        return kept

    def _make(self, status: int, reason: str, keeps: bool, version: str) -> bytes:
        lines = (
            f"HTTP/{version} {status} {reason}\r\nServer: gunicorn\r\nDate: {self._date}\r\n"
            f"Connection: {'keep-alive' if keeps else 'close'}\r\n"
        )
        return lines.encode("latin-1")


start = _Starts().start


def build(
    status: int,
    reason: str | None,
    headers: Iterable[tuple[str, str]],
    content_type: str | None,
    length: int | None,
    keeps: bool,
    more: bytes,
    version: str = "1.1",
) -> bytes:
    """Return a whole response head, including the empty line at its end.

    Args:
        status: the status code.
        reason: the reason phrase; None or empty for the standard one.
        headers: names and values. Headers of the connection are left out.
        content_type: None for no such header, or one that is among `headers`.
        length: the body's length in bytes, also for HEAD; None for no Content-Length.
        keeps: whether the connection stays open.
        more: further header lines, each ending in CRLF.
        version: the client's HTTP version.
    """
    left_out = _NEVER_OF_304 if status == 304 else _NEVER
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers if name.lower() not in left_out])
    end = "\r\n"
    if status != 304:
        if length is not None and status != 204:
            end = f"Content-Length: {length}\r\n\r\n"
        if content_type is not None:
            end = f"Content-Type: {content_type}\r\n{end}"
    beginning = start(status, reason, keeps, version)
    return b"".join((beginning, lines.encode("latin-1"), more, end.encode("latin-1")))


def malformed_request_response(response: Response) -> bytes:
    """Return the whole response to a malformed request, spelled as gunicorn spells it."""
    assert isinstance(response.body, bytes)
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        *(f"{name}: {value}" for name, value in response.headers),
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.body
