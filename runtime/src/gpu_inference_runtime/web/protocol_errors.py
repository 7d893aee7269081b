"""What a client gets whose request is not proper HTTP: a JSON message, where gunicorn sends a page of HTML.

gunicorn's page and its log line quote the request, which may be the rest of a body, or a header with a key.
"""

import contextlib
import logging
import socket
from http import HTTPStatus

from gunicorn import util
from gunicorn.http import errors

from gpu_inference_runtime.messages import Answer, error_answer
from gpu_inference_runtime.script.scoring import INTERNAL_ERROR

log = logging.getLogger("gpu_inference")

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
# Of the application's own headers: kinds of ParseException too.
_OURS = (errors.InvalidResponseHeader, errors.InvalidResponseHeaderName, errors.ConfigurationProblem)


def refuse(connection: socket.socket, error: Exception) -> None:
    """Answer what gunicorn raised while it read a request or sent an answer; whoever calls closes then."""
    answer = answer_to(error)
    if answer.status >= 500:
        log.error("An answer could not be sent", exc_info=error)
    else:
        log.warning("Refused with %d what is not proper HTTP: %s", answer.status, type(error).__name__)
    # Whoever sends such requests may be gone.
    with contextlib.suppress(OSError):
        util.write_nonblock(connection, _as_bytes(answer))


def answer_to(error: Exception) -> Answer:
    """Return the answer to an error of gunicorn's."""
    if not isinstance(error, _OURS):
        for kind, status, message in _CLIENTS:
            if isinstance(error, kind):
                return error_answer(status, message, close=True)
    return error_answer(500, INTERNAL_ERROR, close=True)


def _as_bytes(answer: Answer) -> bytes:
    """Return an answer that ends the connection as it goes over the wire."""
    body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        *(f"{name}: {value}" for name, value in answer.headers),
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
