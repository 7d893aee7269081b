"""What crosses between the processes: a request from its block, an answer as HTTP's lines."""

from typing import Any, Dict, List, Optional, Tuple

from gpu_inference_script.messages import Answer
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

# The front writes its own, whatever the script sets; those of the connection are not the script's business.
_NOT_THE_SCRIPTS = frozenset(
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
# Of an answer that says that the client's copy is still good, HTTP forbids them.
_OF_A_BODY = frozenset(
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


class CrossedRequest(Request):
    """A request that lies in the inbox. Its head is taken apart when something of it is first asked for.

    Args:
        call: number of the call.
        offset: of the block, in the inbox.
        view: memory that the block lies in.
        base: where the block begins in it.
        fields: the block's header.
        adds_id: whether the script finds `X-Ms-Request-Id` among the headers, as behind azureml-fe.
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
        # What the parts of its answer are made in, where calls overlap.
        self.context: "Any" = None
        self._view = view
        self._base = base
        peers_at = base + BLOCK_SIZE + id_length
        head_at = peers_at + peers_length
        self.request_id = str(view[base + BLOCK_SIZE : peers_at], "latin-1")
        self.peers = bytes(view[peers_at:head_at])
        self.head = head = bytes(view[head_at : head_at + head_length])
        # One question, not two: where calls overlap, another thread may forget what was seen.
        self.method, self._content_type = _seen.get(head) or _see(head)
        self.body = view[base + body_at : base + body_at + body_length]
        self.trace = fields[11:14] if flags & HAS_TRACE else None

    # The single bytes of the header

    @property
    def abandoned(self) -> bool:
        """Whether the front no longer wants the answer."""
        return bool(self._view[self._base + ABANDONED])

    @property
    def interrupted(self) -> bool:
        """Whether the front wants the call to end."""
        return bool(self._view[self._base + INTERRUPT])

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._view[self._base + INTERRUPT] = value

    def mark_begun(self, process: int) -> None:
        """Let the front see that this process makes the call now."""
        self._view[self._base + OWNER] = process
        self._view[self._base + STATE] = BEGUN

    def write(self, head: bytes, body: bytes) -> bool:
        """Write a reply in the place of the request; return False, without writing, where it does not fit."""
        begin = self._base + BLOCK_SIZE
        if BLOCK_SIZE + len(head) + len(body) > self.capacity:
            return False
        middle = begin + len(head)
        self._view[begin:middle] = head
        self._view[middle : middle + len(body)] = body
        return True

    # What is taken from the head

    def __getattr__(self, name: str) -> Any:
        """Take the head apart: called for an attribute of `Request` that has no value yet."""
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
        """The media type, in lower case and without its parameters; empty where the client gave none."""
        return self._content_type


# Method and media type by the head: those of a client are mostly the same.
_seen: "Dict[bytes, Tuple[str, str]]" = {}
_MOST_SEEN = 512


def _see(head: bytes) -> "Tuple[str, str]":
    """Return the method and `Request.content_type` of a head, without taking it apart."""
    method = str(head[: head.index(b" ")], "latin-1")
    media_type = ""
    lower = head.lower()
    begin = lower.rfind(_CONTENT_TYPE)
    if begin >= 0:
        begin += len(_CONTENT_TYPE)
        value = lower[begin : lower.index(b"\r\n", begin)]
        media_type = str(value.partition(b";")[0].strip(), "latin-1")
    if len(_seen) >= _MOST_SEEN:
        _seen.clear()
    _seen[head] = found = (method, media_type)
    return found


def answer_head(answer: Answer) -> "Tuple[int, bytes]":
    """Return the flags of a reply, and its head: the words after the status, if any, and headers."""
    flags = CLOSE if answer.close else 0
    lines: "List[str]" = []
    if answer.reason is not None:
        flags |= HAS_REASON
        lines.append(answer.reason)
    not_the_scripts = _NOT_THE_SCRIPTS
    if answer.status == _NOT_MODIFIED:
        not_the_scripts = _NOT_THE_SCRIPTS | _OF_A_BODY
    elif answer.content_type is not None:
        lines.append("Content-Type: " + answer.content_type)
    for name, value in answer.headers:
        lower = name.lower()
        if lower not in not_the_scripts:
            lines.append(name + ": " + value)
        elif lower == "connection" and value.lower() == "close":
            flags |= CLOSE
    lines.append("")
    return flags, "\r\n".join(lines).encode("latin-1")


def stated_length(answer: Answer) -> "Optional[int]":
    """Return the Content-Length that the script has set itself; None where it has set none."""
    for name, value in answer.headers:
        if name.lower() == "content-length" and value.isdigit():
            return int(value)
    return None
