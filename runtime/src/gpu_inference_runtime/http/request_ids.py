"""Request ids: which headers of a request become which headers of its response."""

import logging
import os
from collections.abc import Mapping

from gpu_inference_runtime import __version__
from gpu_inference_script.logs import request_id_of_log_lines
from gpu_inference_script.response import Response, error_response

MAX_ID_LENGTH = 100
SENT_IDS = frozenset({b"x-request-id", b"x-ms-request-id", b"x-ms-client-request-id", b"traceid"})
"""Request headers, in lower case, that determine the ids."""
# docs/decisions.md 80
SERVER_VERSION = f"gpu-inference/{__version__}"

_VERSION_LINE = f"x-ms-server-version: {SERVER_VERSION}\r\n".encode()
# One system call gets the random bytes for this many ids.
_POOL = 64
_ID_BYTES = 16
# The digit of a random UUID that holds the variant and two random bits.
_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}

log = logging.getLogger("gpu_inference")


class Ids:
    """The ids of one request.

    Args:
        request_id: the id in log lines; empty if the response carries none.
        encoded: the same as bytes.
        lines: the response's header lines.
        refused: the response to a request with an id that is too long; else None.
    """

    __slots__ = ("encoded", "lines", "refused", "request_id")

    def __init__(
        self, request_id: str, encoded: bytes, lines: bytes, refused: Response | None = None
    ) -> None:
        self.request_id = request_id
        self.encoded = encoded
        self.lines = lines
        self.refused = refused


class IdMaker:
    """Makes the ids of requests.

    Args:
        sends_server_version: whether responses carry the server's version.
    """

    def __init__(self, sends_server_version: bool) -> None:
        self._version = _VERSION_LINE if sends_server_version else b""
        self._new_lines = b"x-request-id: %b\r\nx-ms-request-id: %b\r\n" + self._version
        self._made: list[Ids] = []
        # A forked process would use the same ids.
        os.register_at_fork(after_in_child=self._made.clear)

    def for_request(self, headers: Mapping[bytes, bytes]) -> Ids:
        """Return the ids for the response to a request with these headers (lower-case names).

        Old clients send `x-ms-request-id` as their own id: it then counts as the client's id too.
        """
        return self.new() if SENT_IDS.isdisjoint(headers) else self._from_sent(headers)

    def new(self) -> Ids:
        """Return the ids for the response to a request that has none."""
        if not self._made:
            self._made += map(self._with_lines, _new_ids())
        return self._made.pop()

    def _with_lines(self, request_id: str) -> Ids:
        encoded = request_id.encode()
        return Ids(request_id, encoded, self._new_lines % (encoded, encoded))

    def _from_sent(self, headers: Mapping[bytes, bytes]) -> Ids:
        trace_id = headers.get(b"traceid", b"").strip()
        given = headers.get(b"x-request-id", b"").strip() or _new_ids(1)[0].encode()
        if len(given) > MAX_ID_LENGTH:
            return Ids("", b"", self._lines(trace_id=trace_id), _too_long("x-request-id"))
        request_id = given.decode("latin-1")
        legacy_id = headers.get(b"x-ms-request-id", b"").strip()
        client_id = headers.get(b"x-ms-client-request-id", b"").strip()
        if max(len(legacy_id), len(client_id)) > MAX_ID_LENGTH:
            names = "x-ms-request-id and x-ms-client-request-id"
            return Ids(request_id, given, self._lines(given, trace_id=trace_id), _too_long(names))
        if legacy_id:
            with request_id_of_log_lines(request_id):
                log.warning(
                    "The request's header x-ms-request-id is deprecated: send x-ms-client-request-id instead."
                )
        lines = self._lines(given, legacy_id or client_id or given, client_id or legacy_id, trace_id)
        return Ids(request_id, given, lines)

    def _lines(
        self,
        request_id: bytes = b"",
        ms_request_id: bytes = b"",
        client_id: bytes = b"",
        trace_id: bytes = b"",
    ) -> bytes:
        pairs = (
            (b"x-request-id", request_id),
            (b"x-ms-request-id", ms_request_id),
            (b"x-ms-client-request-id", client_id),
            (b"TraceId", trace_id),
        )
        return b"".join([b"%b: %b\r\n" % pair for pair in pairs if pair[1]]) + self._version


def _too_long(names: str) -> Response:
    return error_response(431, f"{names} must not exceed {MAX_ID_LENGTH} characters")


def _new_ids(number: int = _POOL) -> list[str]:
    """Return new UUIDs of version 4, like `uuid.uuid4` but faster."""
    digits = os.urandom(number * _ID_BYTES).hex()
    return [_as_uuid(digits[at : at + 32]) for at in range(0, len(digits), 32)]


def _as_uuid(digits: str) -> str:
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"
    )
