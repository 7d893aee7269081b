"""One request and its answer, on the way between a connection and the script processes."""

from typing import TYPE_CHECKING

from gpu_inference_runtime.front.scripts import ScriptCall
from gpu_inference_runtime.http.ids import Ids
from gpu_inference_runtime.http.request_head import RequestHead
from gpu_inference_runtime.observability.traces import Trace

if TYPE_CHECKING:
    from gpu_inference_runtime.front.connection import Connection


_NO_IDS = Ids("", b"", b"")


class Exchange(ScriptCall):
    """A request that a connection has received the head of.

    Args:
        connection: where it came from, and where the answer goes.
        head: as it was read.
        began: when, by `time.monotonic`.
    """

    __slots__ = (
        "began",
        "body",
        "body_received",
        "complete",
        "connection",
        "dropped",
        "finished",
        "head",
        "ids",
        "keeps",
        "length",
        "pending",
        "sent_bytes",
        "status",
        "stream_chunked",
        "stream_waits",
        "trace",
    )

    def __init__(self, connection: "Connection", head: RequestHead, began: float) -> None:
        super().__init__()
        self.connection = connection
        self.head = head
        self.began = began
        # Whether the connection is kept after the answer, as far as the request is concerned.
        self.keeps = head.keeps
        self.ids = _NO_IDS
        self.trace: Trace | None = None
        # What has been received of the body, unless that is written into the block directly.
        self.body: bytes | bytearray = b""
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
