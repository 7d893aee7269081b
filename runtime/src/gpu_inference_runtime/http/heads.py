"""The first part of an answer as it is sent: status, date and headers, spelled as gunicorn and Flask do."""

import time
from collections.abc import Iterable
from email.utils import formatdate
from http import HTTPStatus

from gpu_inference_script.messages import Answer

# The words after the status, as Werkzeug has them.
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
# Those of the connection, which are the server's, and those of the body, which 304 has none of.
_NEVER = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers"}
    | {"transfer-encoding", "upgrade", "server", "date", "content-length"}
)
_NEVER_OF_304 = _NEVER | {
    *("allow", "content-encoding", "content-language", "content-md5", "content-range"),
    *("content-type", "last-modified"),
}


class _Starts:
    """The beginnings of answers, each made once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._date = ""
        self._kept: dict[tuple[int, bool, str], bytes] = {}

    def start(self, status: int, reason: str | None, keeps: bool, version: str = "1.1") -> bytes:
        """Return the status line and the lines about server, date and connection.

        Args:
            status: HTTP's.
            reason: the words after the status; None, or none, for HTTP's own.
            keeps: whether the connection is kept.
            version: HTTP's, as the client's.
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


def head(
    status: int,
    reason: str | None,
    headers: Iterable[tuple[str, str]],
    content_type: str | None,
    length: int | None,
    keeps: bool,
    more: bytes,
    version: str = "1.1",
) -> bytes:
    """Return a whole head, its empty line included.

    Args:
        status: HTTP's.
        reason: the words after the status; None, or none, for HTTP's own.
        headers: names and values. Those that belong to the connection are left out.
        content_type: None for no such header, or one that is among the headers.
        length: of the body, bytes, also where HEAD has none; None for no Content-Length.
        keeps: whether the connection is kept.
        more: further header lines.
        version: HTTP's, as the client's.
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


def to_no_request(answer: Answer) -> bytes:
    """Return all of an answer to what is no proper request, spelled as gunicorn spells such answers.

    The connection ends with it.
    """
    assert isinstance(answer.body, bytes)
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in answer.headers),
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
