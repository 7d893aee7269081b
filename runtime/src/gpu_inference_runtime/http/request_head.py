"""The head of a request as it was read, and those heads that came before: they need not be read again."""

from collections.abc import Mapping

from gpu_inference_runtime.http.ids import SENT_IDS
from gpu_inference_runtime.http.routing import Kind, Route
from gpu_inference_script.messages import Answer

# What the known heads may take: a client's requests differ in few lengths of their bodies.
# docs/decisions.md 50
_MOST_KNOWN = 512
_LONGEST_KNOWN_BYTES = 1024
# A head with one of these is hardly ever sent twice.
_OWN_TO_EACH = SENT_IDS | {b"traceparent"}


class RequestHead:
    """What the head of a request says. It is not changed once the request was routed.

    Args:
        method: HTTP's.
        target: path and query as the client sent them.
        headers: by their name in lower case; of one that came several times the values joined by commas.
        version: HTTP's, `1.0` or `1.1`.
        keeps: whether the client wants to keep the connection.
        raw: the head as the client sent it; empty where its bytes were not kept.
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
        # As it was sent: decoded, it may hold the end of a log's line and another one that looks like ours.
        self.path = target.partition(b"?")[0].decode("latin-1")
        self.headers = headers
        self.version = version
        self.keeps = keeps
        self.raw = raw
        length = headers.get(b"content-length")
        self.content_length = int(length) if length is not None else None
        self.chunked = b"transfer-encoding" in headers
        self.expects_continue = b"expect" in headers
        self.is_unique = not _OWN_TO_EACH.isdisjoint(headers)
        # Where it leads, and the answer to one that leads nowhere; set when the request is first looked at.
        self.route: Route | None = None
        self.refused: Answer | None = None

    @property
    def kind(self) -> Kind | None:
        """The part of the server that it is for; None until it was looked at."""
        return None if self.route is None else self.route.kind


class KnownHeads:
    """Heads by their bytes: of two that are the same, byte for byte, only the first is parsed."""

    def __init__(self) -> None:
        self._heads: dict[bytes, RequestHead] = {}
        self.get = self._heads.get

    def add(self, head: RequestHead) -> None:
        """Remember a proper head, unless it is one that hardly comes again, or whose body has no length."""
        if (
            not head.raw
            or len(head.raw) > _LONGEST_KNOWN_BYTES
            or head.is_unique
            or head.chunked
            or head.expects_continue
        ):
            return
        if len(self._heads) >= _MOST_KNOWN:
            self._heads.clear()
        self._heads[head.raw] = head
