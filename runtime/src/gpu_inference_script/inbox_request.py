"""Transport between the processes: reads a request from its block, and encodes a response's head."""

from typing import Any, Dict, List, Optional, Tuple

from gpu_inference_script.protocol import (
    ABANDONED,
    BEGUN,
    BLOCK_SIZE,
    CLOSE,
    HAS_REASON,
    HAS_TRACE,
    INTERRUPT,
    OWNER,
    STATE,
)
from gpu_inference_script.request import Request
from gpu_inference_script.response import Response

# The front sets these headers itself.
_FRONT_HEADERS = frozenset(
    {
        "x-request-id",
        "x-ms-request-id",
        "x-ms-client-request-id",
        "content-length",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "server",
        "date",
    }
)
# A 304 response must not have these.
_BODY_HEADERS = frozenset(
    {
        "allow",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-range",
        "content-type",
        "last-modified",
    }
)
_NOT_MODIFIED = 304
_CONTENT_TYPE = b"\r\ncontent-type:"


class InboxRequest(Request):
    """A request in the inbox. Its head is parsed when an attribute from it is first read.

    Args:
        call: the call's number.
        offset: where the block begins in the inbox.
        view: the mapped memory that contains the block.
        base: where the block begins in `view`.
        fields: the fields of the block's header.
        adds_id: whether to add the header `X-Ms-Request-Id`, as azureml-fe did.
    """

    __slots__ = (
        "_base",
        "_content_type",
        "_view",
        "adds_id",
        "call",
        "capacity",
        "context",
        "first_part",
        "head",
        "offset",
        "peers",
        "refused",
    )

    def __init__(
        self, call: int, offset: int, view: memoryview, base: int, fields: "Tuple[Any, ...]", adds_id: bool
    ) -> None:
        (_, _, _, _, id_length, peers_length, head_length, flags, capacity, body_at, body_length) = fields[
            :11
        ]
        self.call = call
        self.offset = offset
        self.capacity = capacity
        self.adds_id = adds_id
        self.refused = False
        self.first_part: "Optional[bytes]" = None
        # The context in which the parts of a streamed body are made if calls overlap.
        self.context: "Any" = None
        self._view = view
        self._base = base
        peers_at = base + BLOCK_SIZE + id_length
        head_at = peers_at + peers_length
        self.request_id = str(view[base + BLOCK_SIZE : peers_at], "latin-1")
        self.peers = bytes(view[peers_at:head_at])
        self.head = head = bytes(view[head_at : head_at + head_length])
        # One lookup, not two: if calls overlap, another thread may clear the cache between them.
        self.method, self._content_type = _seen.get(head) or _see(head)
        self.body = view[base + body_at : base + body_at + body_length]
        self.trace = fields[11:14] if flags & HAS_TRACE else None

    # Single bytes of the block's header

    @property
    def abandoned(self) -> bool:
        """Whether the front no longer wants the response."""
        return bool(self._view[self._base + ABANDONED])

    @property
    def interrupted(self) -> bool:
        """Whether the front wants the call to end."""
        return bool(self._view[self._base + INTERRUPT])

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._view[self._base + INTERRUPT] = value

    def mark_begun(self, process: int) -> None:
        """Show the front that this process has begun the call."""
        self._view[self._base + OWNER] = process
        self._view[self._base + STATE] = BEGUN

    def write(self, head: bytes, body: bytes) -> bool:
        """Overwrite the request with its reply; return False, without writing, if it does not fit."""
        begin = self._base + BLOCK_SIZE
        if BLOCK_SIZE + len(head) + len(body) > self.capacity:
            return False
        middle = begin + len(head)
        self._view[begin:middle] = head
        self._view[middle : middle + len(body)] = body
        return True

    # Attributes from the head

    def __getattr__(self, name: str) -> Any:
        """Parse the head; Python calls this for an attribute of `Request` that has no value yet."""
        if name not in ("target", "version", "headers", "client", "server"):
            raise AttributeError(name)
        lines = str(self.head, "latin-1").split("\r\n")
        _, self.target, self.version = lines[0].split(" ", 2)
        pairs = [line.partition(":") for line in lines[1:] if line]
        headers: "List[Tuple[str, str]]" = [(pair[0], pair[2].strip(" \t")) for pair in pairs]
        if self.adds_id and not any(name.lower() == "x-ms-request-id" for name, _ in headers):
            sent = [value for name, value in headers if name.lower() == "x-ms-client-request-id"]
            headers.append(("X-Ms-Request-Id", sent[0] if sent else self.request_id))
        self.headers = headers
        client, client_port, server, server_port = str(self.peers, "latin-1").split(" ")
        self.client = (client, int(client_port))
        self.server = (server, int(server_port))
        return getattr(self, name)

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without its parameters; empty if there is none."""
        return self._content_type


# Method and media type by head: the heads of a client are mostly the same.
_seen: "Dict[bytes, Tuple[str, str]]" = {}
_MAX_SEEN = 512


def _see(head: bytes) -> "Tuple[str, str]":
    """Return the method and `Request.content_type` of a head, without parsing all of it."""
    method = str(head[: head.index(b" ")], "latin-1")
    media_type = ""
    lower = head.lower()
    begin = lower.rfind(_CONTENT_TYPE)
    if begin >= 0:
        begin += len(_CONTENT_TYPE)
        value = lower[begin : lower.index(b"\r\n", begin)]
        media_type = str(value.partition(b";")[0].strip(), "latin-1")
    if len(_seen) >= _MAX_SEEN:
        _seen.clear()
    _seen[head] = found = (method, media_type)
    return found


def response_head(response: Response) -> "Tuple[int, bytes]":
    """Return the flags of a reply, and its head: the reason phrase, if any, and the headers."""
    flags = CLOSE if response.close else 0
    lines: "List[str]" = []
    if response.reason is not None:
        flags |= HAS_REASON
        lines.append(response.reason)
    dropped = _FRONT_HEADERS
    if response.status == _NOT_MODIFIED:
        dropped = _FRONT_HEADERS | _BODY_HEADERS
    elif response.content_type is not None:
        lines.append("Content-Type: " + response.content_type)
    for name, value in response.headers:
        lower = name.lower()
        if lower not in dropped:
            lines.append(name + ": " + value)
        elif lower == "connection" and value.lower() == "close":
            flags |= CLOSE
    lines.append("")
    return flags, "\r\n".join(lines).encode("latin-1")


def stated_length(response: Response) -> "Optional[int]":
    """Return the Content-Length that the script set itself; None if it set none."""
    for name, value in response.headers:
        if name.lower() == "content-length" and value.isdigit():
            return int(value)
    return None
