"""One request and its response, between a connection and the script processes."""

from typing import TYPE_CHECKING

from gpu_inference_runtime.front.script_process import ScriptCall
from gpu_inference_runtime.http.request_head import RequestHead
from gpu_inference_runtime.http.request_ids import Ids
from gpu_inference_runtime.observability.traces import Trace

if TYPE_CHECKING:
    from gpu_inference_runtime.front.connection import Connection


_NO_IDS = Ids("", b"", b"")


class Exchange(ScriptCall):
    """A request whose head has arrived, and its response.

    Args:
        connection: the client's connection.
        head: the request's head.
        began: when the head arrived, by `time.monotonic`, in seconds.
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
        # Whether the request allows the connection to stay open after the response.
        self.keeps = head.keeps
        self.ids = _NO_IDS
        self.trace: Trace | None = None
        # What has arrived of the body, unless it is written directly into the block.
        self.body: bytes | bytearray = b""
        self.body_received = 0
        # Whether all of the body has arrived; whether the rest of it is being dropped.
        self.complete = False
        self.dropped = False
        # Whether the access check is still running.
        self.pending = False
        # The response: status and body length for the log; whether it is complete.
        self.status = 0
        self.length: int | None = None
        self.sent_bytes = 0
        self.finished = False
        # A streamed body: whether it is chunked, and whether its next part waits for the client.
        self.stream_chunked = False
        self.stream_waits = False

    # Events from the replica and the script processes (replica.Call, script_process.ScriptCall)

    def refused(self, reason: str) -> None:
        """Respond that the request is not scored."""
        self.connection.exchanges.refused(self, reason)

    def timed_out(self) -> None:
        """Respond that the script took too long."""
        self.connection.exchanges.timed_out(self)

    def crashed(self) -> None:
        """Respond that the script's process died."""
        self.connection.exchanges.crashed(self)

    def ran(self, seconds: float) -> None:
        """Record how long `run()` took."""
        if self.trace is not None:
            self.trace.ran(self.arrived, seconds)

    def respond(self, status: int, flags: int, head: bytes, body: memoryview | bytes) -> None:
        """Send the script's response."""
        self.connection.exchanges.send_script_response(self, status, flags, head, body)

    def begin_stream(self, status: int, flags: int, head: bytes, part: bytes, length: int | None) -> None:
        """Send the head and first part of the script's streamed response."""
        self.connection.exchanges.begin_stream(self, status, flags, head, part, length)

    def send_part(self, part: bytes) -> None:
        """Send a part of the streamed response."""
        self.connection.exchanges.send_part(self, part)

    def end_stream(self, whole: bool) -> None:
        """End the streamed response."""
        self.connection.exchanges.end_stream(self, whole)
