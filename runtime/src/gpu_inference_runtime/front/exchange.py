"""One request and its answer, on the way between a connection and the script processes."""

import time
from typing import TYPE_CHECKING

from gpu_inference_runtime.front.scripts import ScriptCall
from gpu_inference_runtime.http.ids import Ids
from gpu_inference_runtime.http.routing import Kind, Route
from gpu_inference_runtime.observability.traces import Trace

if TYPE_CHECKING:
    from gpu_inference_runtime.front.connection import Connection


_UNKNOWN = Route(Kind.NOT_FOUND)
_NO_IDS = Ids("", b"")


class Exchange(ScriptCall):
    """A request that a connection has received the head of.

    Args:
        connection: where it came from, and where the answer goes.
        method: HTTP's.
        target: path and query as the client sent them.
        headers: by their name in lower case; of one that came several times the values joined by commas.
        version: HTTP's, `1.0` or `1.1`.
        keeps: whether the client wants to keep the connection.
        head: the head as the client sent it.
    """

    __slots__ = (
        "began",
        "body_received",
        "chunked",
        "complete",
        "connection",
        "content_length",
        "dropped",
        "expects_continue",
        "finished",
        "head",
        "head_end",
        "headers",
        "ids",
        "keeps",
        "length",
        "method",
        "parts",
        "pending",
        "route",
        "sent_bytes",
        "status",
        "stream_chunked",
        "stream_waits",
        "target",
        "trace",
        "version",
    )

    def __init__(
        self,
        connection: "Connection",
        method: bytes,
        target: bytes,
        headers: dict[bytes, bytes],
        version: str,
        keeps: bool,
        head: bytes,
        head_end: int | None,
    ) -> None:
        super().__init__()
        self.connection = connection
        self.method = method
        self.target = target
        self.headers = headers
        self.version = version
        self.keeps = keeps
        self.head = head
        # Where the body begins in the piece that was received last; None where that is not known.
        self.head_end = head_end
        self.began = time.monotonic()
        length = headers.get(b"content-length")
        self.content_length = int(length) if length is not None else None
        self.chunked = b"transfer-encoding" in headers
        self.expects_continue = b"expect" in headers
        self.route = _UNKNOWN
        self.ids = _NO_IDS
        self.trace: Trace | None = None
        # The body: its pieces, or, where it is large, the bytes that have been received into the block.
        self.parts: list[bytes] = []
        self.body_received = 0
        # Whether it has arrived; whether its rest is being dropped.
        self.complete = False
        self.dropped = False
        # Whether it is not decided yet whether the request may pass.
        self.pending = False
        # The answer: status and body bytes for the log; whether it is complete.
        self.status = 0
        self.length: int | None = None
        self.sent_bytes = 0
        self.finished = False
        # A streamed body: its framing, and whether its next part waits for the client.
        self.stream_chunked = False
        self.stream_waits = False

    # What the replica and the script processes tell (scoring.replica.Call, front.scripts.ScriptCall)

    def refused(self, reason: str) -> None:
        """Answer that the request is not scored."""
        self.connection.exchanges.refused(self, reason)

    def timed_out(self) -> None:
        """Answer that the script took too long."""
        self.connection.exchanges.timed_out(self)

    def crashed(self) -> None:
        """Answer that the script's process has ended."""
        self.connection.exchanges.crashed(self)

    def ran(self, seconds: float) -> None:
        """Note how long `run()` took."""
        if self.trace is not None:
            self.trace.ran(self.arrived, seconds)

    def answer(self, status: int, flags: int, head: bytes, body: memoryview | bytes) -> None:
        """Send the script's answer."""
        self.connection.exchanges.answer_of_script(self, status, flags, head, body)

    def begin_stream(self, status: int, flags: int, head: bytes, part: bytes, length: int | None) -> None:
        """Send the beginning of the script's streamed answer."""
        self.connection.exchanges.begin_stream(self, status, flags, head, part, length)

    def part(self, part: bytes) -> None:
        """Send a part of it."""
        self.connection.exchanges.part(self, part)

    def end_stream(self, whole: bool) -> None:
        """End it."""
        self.connection.exchanges.end_stream(self, whole)
