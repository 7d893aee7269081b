"""A single script process: its start, its pipes, its calls, and the record of its process group."""

import contextlib
import json
import logging
import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

import gpu_inference_script
from gpu_inference_runtime.front.inbox import Block
from gpu_inference_runtime.scoring.replica import Call
from gpu_inference_script import protocol
from gpu_inference_script.config import Config
from gpu_inference_script.memory import OUTBOX_SIZE
from gpu_inference_script.protocol import ORDER, PAGE

_START = Path(gpu_inference_script.__file__).with_name("start.py")

log = logging.getLogger("gpu_inference")


class ScriptCall(Call):
    """A call, its block in the inbox, and the handling of its response."""

    __slots__ = ("block", "process")

    def __init__(self) -> None:
        super().__init__()
        self.block: Block | None = None
        # The process that makes the streamed body.
        self.process: ScriptProcess | None = None

    def ran(self, seconds: float) -> None:
        """Record that `run()` has just ended, and how long it took."""
        raise NotImplementedError

    def respond(self, status: int, flags: int, head: bytes, body: memoryview | bytes) -> None:
        """Send a whole response. The body's memory is only valid during this call."""
        raise NotImplementedError

    def begin_stream(self, status: int, flags: int, head: bytes, part: bytes, length: int | None) -> None:
        """Send the head and first part of a streamed response, and request the next part in time."""
        raise NotImplementedError

    def send_part(self, part: bytes) -> None:
        """Send a part of a streamed response, and request the next part in time."""
        raise NotImplementedError

    def end_stream(self, whole: bool) -> None:
        """End a streamed response, complete or not."""
        raise NotImplementedError


class ScriptProcess:
    """A running script process, as the front sees it.

    Args:
        index: the process's number, from 1.
        popen: the process.
        orders: pipe for orders to the process.
        replies: pipe with the replies of the process.
        outbox: memory file with the replies that do not fit into their blocks.
    """

    def __init__(self, index: int, popen: "subprocess.Popen[bytes]", orders: int, replies: int, outbox: int):
        self.index = index
        self.pid = popen.pid
        self.popen = popen
        self.orders = orders
        self.replies = replies
        self.ready = False
        self.pidfd = os.pidfd_open(self.pid)
        self._outbox = outbox
        self._map = mmap.mmap(outbox, OUTBOX_SIZE)
        self._unsent = bytearray()

    def order(self, what: int, number: int = 0) -> None:
        """Write an order; one that does not fit into the pipe is written with the next."""
        self._unsent += ORDER.pack(what, number)
        # A process that has died needs no orders.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                del self._unsent[: os.write(self.orders, self._unsent)]

    def take(self, offset: int, length: int) -> bytes:
        """Return what the process wrote to its outbox, and free that space."""
        if offset < OUTBOX_SIZE:
            content = self._map[offset : offset + length]
        else:
            size = -(-length // PAGE) * PAGE
            with mmap.mmap(self._outbox, size, offset=offset) as region:
                content = region[:length]
                region.madvise(mmap.MADV_REMOVE)
        self.order(protocol.FREE, offset)
        return content

    def signal(self, number: int) -> None:
        """Send a signal to the process; it may have died."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process, and the processes that the script started."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the front's file descriptors and mappings of the process."""
        for descriptor in (self.orders, self.replies, self.pidfd, self._outbox):
            os.close(descriptor)
        self._map.close()


def start_process(
    index: int, config: Config, *, python: str, calls: int, inbox: int, several: bool
) -> ScriptProcess:
    """Start a script process.

    Args:
        index: the process's number, from 1.
        config: the script's settings.
        python: the interpreter.
        calls: descriptor of the pipe that it reads calls from.
        inbox: descriptor of the memory file with the requests.
        several: whether other script processes read the same pipe of calls.
    """
    orders_read, orders_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    replies_read, replies_write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(replies_read, False)
    # docs/decisions.md 47
    outbox = os.memfd_create("gpu-inference-outbox", os.MFD_CLOEXEC)
    os.ftruncate(outbox, OUTBOX_SIZE)
    passed = (calls, orders_read, replies_write, inbox, outbox)
    names = ("calls", "orders", "replies", "inbox", "outbox")
    given = {
        "channels": {**dict(zip(names, passed, strict=True)), "parent": os.getpid(), "index": index},
        "several": several,
        "config": json.loads(config.to_json()),
    }
    # docs/decisions.md 44
    popen = subprocess.Popen(
        [python, str(_START), json.dumps(given)],
        stdin=subprocess.DEVNULL,
        pass_fds=passed,
        # Its own group: the script's child processes can be killed with it, and Ctrl-C only reaches the
        # server.
        process_group=0,
    )
    os.close(orders_read)
    os.close(replies_write)
    return ScriptProcess(index, popen, orders_write, replies_read, outbox)


def log_death(process: ScriptProcess, status: int) -> None:
    """Log that a process died, with its exit status or the signal (a negative status)."""
    if status < 0:
        hint = " Perhaps out of memory?" if -status == signal.SIGKILL else ""
        name = signal.Signals(-status).name
        log.error("The script process (pid %d) was sent %s!%s", process.pid, name, hint)
    else:
        log.error("The script process (pid %d) ended with status %d", process.pid, status)


class ProcessGroups:
    """Process groups of the script processes, in memory shared with the parent, which kills what is left.

    Args:
        number: the number of script processes.
    """

    _SIZE = 8

    def __init__(self, number: int) -> None:
        self._number = number
        self._shared = mmap.mmap(-1, max(number, 1) * self._SIZE)

    def set(self, index: int, group: int) -> None:
        """Record a process group; 0 for none."""
        begin = index * self._SIZE
        self._shared[begin : begin + self._SIZE] = group.to_bytes(self._SIZE, sys.byteorder)

    def kill(self) -> None:
        """Kill all recorded process groups."""
        for index in range(self._number):
            begin = index * self._SIZE
            group = int.from_bytes(self._shared[begin : begin + self._SIZE], sys.byteorder)
            if group:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
                self.set(index, 0)
