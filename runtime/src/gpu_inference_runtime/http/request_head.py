"""Parsed request heads, and a cache of them: a head that is repeated byte for byte is not parsed again."""

from collections.abc import Mapping

from gpu_inference_runtime.http.request_ids import SENT_IDS
from gpu_inference_runtime.http.routing import Kind, Route
from gpu_inference_script.response import Response

# Limits of the cache. The heads of one client mostly differ only in a few values of Content-Length.
# docs/decisions.md 50
_MAX_KNOWN = 512
_MAX_KNOWN_BYTES = 1024
# Heads with one of these are hardly ever repeated.
_UNIQUE_HEADERS = SENT_IDS | {b"traceparent"}


class RequestHead:
    """The head of a request. It does not change after the request has been routed.

    Args:
        method: the request's method.
        target: path and query as the client sent them.
        headers: values by lower-case name; the values of a repeated header are joined by commas.
        version: the HTTP version, `1.0` or `1.1`.
        keeps: whether the client wants to keep the connection open.
        raw: the head as the client sent it; empty if its bytes were not kept.
    """

    __slots__ = (
        "chunked",
        "content_length",
        "expects_continue",
        "headers",
        "is_unique",
        "keeps",
        "method",
        "method_name",
        "path",
        "raw",
        "refused",
        "route",
        "target",
        "version",
    )

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: Mapping[bytes, bytes],
        version: str,
        keeps: bool,
        raw: bytes,
    ) -> None:
        self.method = method
        self.method_name = method.decode("latin-1")
        self.target = target
        # Still percent-encoded: decoded, it could hold a line break and forge a log line.
        self.path = target.partition(b"?")[0].decode("latin-1")
        self.headers = headers
        self.version = version
        self.keeps = keeps
        self.raw = raw
        length = headers.get(b"content-length")
        self.content_length = int(length) if length is not None else None
        self.chunked = b"transfer-encoding" in headers
        self.expects_continue = b"expect" in headers
        self.is_unique = not _UNIQUE_HEADERS.isdisjoint(headers)
        # The route, and the response if the route refuses the request; set when the request is routed.
        self.route: Route | None = None
        self.refused: Response | None = None

    @property
    def kind(self) -> Kind | None:
        """The part of the server that the request is for; None until it has been routed."""
        return None if self.route is None else self.route.kind


class KnownHeads:
    """A cache of parsed heads by their bytes."""

    def __init__(self) -> None:
        self._heads: dict[bytes, RequestHead] = {}
        self.get = self._heads.get

    def add(self, head: RequestHead) -> None:
        """Remember a well-formed head, unless it is unlikely to repeat or its body has no known length."""
        if (
            not head.raw
            or len(head.raw) > _MAX_KNOWN_BYTES
            or head.is_unique
            or head.chunked
            or head.expects_continue
        ):
            return
        if len(self._heads) >= _MAX_KNOWN:
            self._heads.clear()
        self._heads[head.raw] = head
