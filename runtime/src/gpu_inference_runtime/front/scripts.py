"""The script processes behind the front: started, fed and read through pipes, replaced, stopped."""

import asyncio
import contextlib
import json
import logging
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gpu_inference_script
from gpu_inference_runtime.front.inbox import Block, Inbox
from gpu_inference_runtime.front.pause import Pause
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.replica import Call, Replica
from gpu_inference_runtime.settings import Settings
from gpu_inference_script import protocol
from gpu_inference_script.config import Config
from gpu_inference_script.memory import OUTBOX_SIZE
from gpu_inference_script.protocol import BLOCK_SIZE, CALL, ORDER, PAGE, REPLY

# One may be bad luck, such as a neighbour that had the memory for a moment (docs/decisions.md 58).
MOST_DEATHS_IN_INIT = 3
# For how long the signal that ends a call is sent again while it comes at a bad moment, and how often,
# seconds.
_INSISTING_SECONDS = 2.0
_AGAIN_SECONDS = 0.005
# What a process that is to write its traceback gets before it is killed, seconds.
_TRACEBACK_SECONDS = 1.0
# What a process gets to end by itself after it was told to stop, seconds.
_STOP_SECONDS = 3.0
# After a death: a call that another process has taken from the pipe is marked as begun by then, seconds.
_CLAIMED_WITHIN_SECONDS = 0.1
_READ_BYTES = 65536 // REPLY.size * REPLY.size
# A front that is busy with many calls looks for answers at most this often, seconds.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.005
_START = Path(gpu_inference_script.__file__).with_name("start.py")

log = logging.getLogger("gpu_inference")


class ScriptCall(Call):
    """A call with its block of the inbox, and what becomes of its answer."""

    __slots__ = ("block", "process")

    def __init__(self) -> None:
        super().__init__()
        self.block: Block | None = None
        # The process that makes a streamed body.
        self.process: Process | None = None

    def ran(self, seconds: float) -> None:
        """Note how long `run()` took, which has just ended."""
        raise NotImplementedError

    def answer(self, status: int, flags: int, head: bytes, body: memoryview | bytes) -> None:
        """Send a whole answer. The body is only good during this call."""
        raise NotImplementedError

    def begin_stream(self, status: int, flags: int, head: bytes, part: bytes, length: int | None) -> None:
        """Send the head and the first part of a streamed answer, and ask for the next one when it is time."""
        raise NotImplementedError

    def part(self, part: bytes) -> None:
        """Send a part of a streamed answer, and ask for the next one when it is time."""
        raise NotImplementedError

    def end_stream(self, whole: bool) -> None:
        """End a streamed answer, properly or not."""
        raise NotImplementedError


class Process:
    """One script process."""

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
        """Write an order; one that does not fit into the pipe waits for the next."""
        self._unsent += ORDER.pack(what, number)
        # A process that has ended needs no orders.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self._unsent:
                del self._unsent[: os.write(self.orders, self._unsent)]

    def take(self, offset: int, length: int) -> bytes:
        """Return what the process has written to its outbox, and let it use the space again."""
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
        """Send it a signal; it may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, and all that the script has started from it."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close what the front has of it."""
        for descriptor in (self.orders, self.replies, self.pidfd, self._outbox):
            os.close(descriptor)
        self._map.close()


class ScriptProcesses:
    """All of them, as `scoring.replica.Scripts` wants them.

    Args:
        settings: how many, with which interpreter.
        config: for them.
        loop: where replies are read.
        counts: what they report goes here.
        groups: memory that the parent process reads, for the ids of the processes.
        failed: called with an exit status when the server cannot go on.
        changed: called when a process has become ready, or has ended.
    """

    replica: Replica

    def __init__(
        self,
        settings: Settings,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        counts: Counts,
        groups: "Groups",
        failed: Callable[[int], None],
        changed: Callable[[], None],
    ) -> None:
        self.inbox = Inbox()
        self.methods = frozenset({"GET", "POST"})
        self.documents: dict[str, str] = {}
        self.supported: list[str] = []
        self.has_been_ready = False
        self._settings = settings
        self._config = config
        self._loop = loop
        self._counts = counts
        self._groups = groups
        self._failed = failed
        self._changed = changed
        self._processes: list[Process | None] = [None] * settings.worker_count
        self._calls: dict[int, ScriptCall] = {}
        self._last_number = 0
        self._deaths_in_init = 0
        self._stopping = False
        # Records for the pipe of calls; written at once where the event loop gets to it.
        self._records = bytearray()
        self._calls_read, self._calls_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._pause = Pause(loop, self._collect_after_pause)
        # Seconds inside run() of late, for the length of the pause.
        self._run_seconds = 0.0
        self._batch_size = 1

    # What others ask

    @property
    def all_ready(self) -> bool:
        """Whether every process takes calls."""
        return all(process is not None and process.ready for process in self._processes)

    @property
    def any_ready(self) -> bool:
        """Whether at least one process takes calls."""
        return any(process is not None and process.ready for process in self._processes)

    # Start and end

    def start(self) -> None:
        """Start all of them."""
        for index in range(len(self._processes)):
            self._start(index)

    def _start(self, index: int) -> None:
        orders_read, orders_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        replies_read, replies_write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(replies_read, False)
        # docs/decisions.md 47
        outbox = os.memfd_create("gpu-inference-outbox", os.MFD_CLOEXEC)
        os.ftruncate(outbox, OUTBOX_SIZE)
        passed = (self._calls_read, orders_read, replies_write, self.inbox.descriptor, outbox)
        names = ("calls", "orders", "replies", "inbox", "outbox")
        given = {
            "channels": {**dict(zip(names, passed, strict=True)), "parent": os.getpid(), "index": index + 1},
            "several": len(self._processes) > 1,
            "config": json.loads(self._config.to_json()),
        }
        # docs/decisions.md 44
        popen = subprocess.Popen(
            [self._settings.script_python or sys.executable, str(_START), json.dumps(given)],
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
            # What the script starts can be ended with it, and Ctrl-C in a terminal is the server's alone.
            process_group=0,
        )
        os.close(orders_read)
        os.close(replies_write)
        process = Process(index + 1, popen, orders_write, replies_read, outbox)
        self._processes[index] = process
        self._groups.set(index, process.pid)
        self._loop.add_reader(process.replies, self._collect_and_pause)
        self._loop.add_reader(process.pidfd, self._died, process)

    async def stop(self) -> None:
        """End all of them: those that are not in a call by themselves, within a time."""
        self._stopping = True
        running = [process for process in self._processes if process is not None]
        for process in running:
            if process.ready and not self.replica.overdue:
                process.order(protocol.STOP)
            else:
                log.info("Stopping while the script is still busy")
                process.kill()
        end = time.monotonic() + _STOP_SECONDS
        while any(process.popen.poll() is None for process in running) and time.monotonic() < end:
            await asyncio.sleep(0.005)
        for process in running:
            process.kill()

    def kill(self) -> None:
        """End all of them at once."""
        self._stopping = True
        for process in self._processes:
            if process is not None:
                process.kill()

    # Calls, as the replica wants them

    def submit(self, call: ScriptCall) -> None:
        """Give the call, whose request lies in its block, to the replica."""
        self._last_number += 1
        call.number = self._last_number
        self._calls[call.number] = call
        self.replica.arrive(call)
        if call.ended:
            self._drop(call)

    def hand_over(self, call: Call) -> None:
        """Write the call's record to the pipe, together with others that come in the same moment."""
        assert isinstance(call, ScriptCall)
        assert call.block is not None
        if not self._records:
            self._loop.call_soon(self._write_records)
        self._records += CALL.pack(call.number, call.block.offset)

    def _write_records(self) -> None:
        records = self._records
        try:
            while records:
                del records[: os.write(self._calls_write, records)]
        except BlockingIOError:
            self._loop.call_later(0.001, self._write_records)

    def has_begun(self, call: Call) -> bool:
        """Whether a process has begun the call."""
        assert isinstance(call, ScriptCall)
        return call.block is not None and call.block.begun_by > 0

    def abandon(self, call: Call) -> None:
        """Have the call skipped."""
        assert isinstance(call, ScriptCall)
        if call.block is not None:
            call.block.abandon()

    def interrupt(self, call: Call) -> None:
        """Have the call end with a TimeoutError, if Python code can end it."""
        assert isinstance(call, ScriptCall)
        assert call.block is not None
        call.block.interrupt = True
        self._insist(call, time.monotonic() + _INSISTING_SECONDS)

    def _insist(self, call: ScriptCall, end: float) -> None:
        block = call.block
        if block is None or call.ended or not block.interrupt or time.monotonic() > end:
            return
        process = self._processes[block.begun_by - 1]
        if process is not None:
            process.signal(protocol.INTERRUPT_SIGNAL)
            self._loop.call_later(_AGAIN_SECONDS, self._insist, call, end)

    def replace(self, call: Call) -> None:
        """End the process that makes a call; another one starts when it has ended."""
        assert isinstance(call, ScriptCall)
        assert call.block is not None
        process = self._processes[call.block.begun_by - 1]
        if process is None:
            return
        log.error(
            "A call of run() still goes on %d s after its scoring timeout (WORKER_TIMEOUT): the process is"
            " replaced, and init() runs again.",
            self._settings.worker_timeout_seconds,
        )
        # faulthandler writes what the script is doing (docs/decisions.md 62).
        process.signal(signal.SIGABRT)
        self._loop.call_later(_TRACEBACK_SECONDS, self._kill_if_there, process)

    def _kill_if_there(self, process: Process) -> None:
        if process in self._processes:
            process.kill()

    def next_part(self, call: ScriptCall) -> None:
        """Ask for the next part of a streamed body."""
        if call.process is not None and not call.ended:
            self.replica.begin_part(call)
            call.process.order(protocol.NEXT_PART, call.number)

    def close_stream(self, call: ScriptCall) -> None:
        """Have a streamed body closed that nobody wants any more."""
        if call.process is not None and not call.ended:
            call.process.order(protocol.CLOSE_STREAM, call.number)

    # Replies

    def collect(self) -> None:
        """Read all replies that are there."""
        for process in self._processes:
            if process is not None:
                self._read(process)

    # docs/decisions.md 48
    def _collect_and_pause(self) -> None:
        """Read what is there, and leave the processes alone for as long as they have enough to do.

        To be woken for every answer costs more than anything else where front and script share a core.
        """
        self.collect()
        pause = min(self.replica.at_hand * self._run_seconds / (2 * len(self._processes)), _LONGEST_PAUSE)
        if pause >= _SHORTEST_PAUSE and not self._pause.goes_on:
            for process in self._processes:
                if process is not None:
                    self._loop.remove_reader(process.replies)
            self._pause.begin(pause)

    def _collect_after_pause(self) -> None:
        for process in self._processes:
            if process is not None:
                self._loop.add_reader(process.replies, self._collect_and_pause)
        self._collect_and_pause()

    def _read(self, process: Process) -> None:
        while True:
            try:
                data = os.read(process.replies, _READ_BYTES)
            except BlockingIOError:
                return
            for reply in REPLY.iter_unpack(data):
                self._replied(process, *reply)
            if len(data) < _READ_BYTES:
                return

    def _replied(
        self,
        process: Process,
        kind: int,
        flags: int,
        status: int,
        head_length: int,
        number: int,
        offset: int,
        length: int,
        seconds: float,
        extra: int,
    ) -> None:
        call = self._calls.get(number)
        if call is None:
            self._heard(process, kind, offset, length, extra)
            return
        content: memoryview | bytes
        if flags & protocol.IN_OUTBOX:
            content = process.take(offset, head_length + length)
            begin = 0
        else:
            assert call.block is not None
            content, begin = call.block.view, call.block.base + BLOCK_SIZE
        end = begin + head_length
        head = bytes(content[begin:end])
        if kind == protocol.ANSWER:
            self._run_seconds += (seconds - self._run_seconds) / 8
            if extra:
                # The size of the batch, told with its first call.
                self._batch_size = extra
                self._counts.batch_requests.observe(extra)
            self.replica.replied(call, None if flags & protocol.REFUSED else seconds, self._batch_size)
            if not call.answered:
                call.answered = True
                call.ran(seconds)
                call.answer(status, flags, head, content[end : end + length])
            self._end(call)
            return
        part = bytes(content[end : end + length])
        if kind == protocol.STREAM:
            call.process = process
            self.replica.replied(call, seconds)
            call.ran(seconds)
            if call.answered:
                self.close_stream(call)
            else:
                call.answered = True
                call.begin_stream(status, flags, head, part, extra - 1 if extra else None)
        elif kind == protocol.PART:
            self.replica.part_made(call)
            call.part(part)
        elif kind in (protocol.END, protocol.BROKEN):
            call.end_stream(kind == protocol.END)
            self._end(call)
        else:
            self._end(call)

    def _heard(self, process: Process, kind: int, offset: int, length: int, extra: int) -> None:
        """What a process says that is about no call."""
        if kind == protocol.COUNT:
            self._counts.collected("written" if extra else "dropped", length)
        elif kind == protocol.READY:
            document = json.loads(process.take(offset, length))
            if document["version"] != protocol.VERSION:
                log.error(
                    "The script process speaks version %s of the protocol and this server version %s: both"
                    " must come from the same installation.",
                    document["version"],
                    protocol.VERSION,
                )
                self._failed(protocol.START_FAILED)
                return
            self._became_ready(process, document)

    def _became_ready(self, process: Process, document: dict[str, Any]) -> None:
        self._deaths_in_init = 0
        self.methods = frozenset(document["methods"])
        self.documents = document["documents"]
        self.supported = document["supported"]
        self._counts.init_seconds = max(self._counts.init_seconds, document["init_seconds"])
        process.ready = self.has_been_ready = True
        self._changed()
        self.replica.process_ready(self._settings.parallel_runs)

    def _end(self, call: ScriptCall) -> None:
        self.replica.ended(call)
        self._drop(call)

    def _drop(self, call: ScriptCall) -> None:
        self._calls.pop(call.number, None)
        if call.block is not None:
            self.inbox.free(call.block)
            call.block = None

    # Deaths

    def _died(self, process: Process) -> None:
        self._loop.remove_reader(process.pidfd)
        self._read(process)
        self._loop.remove_reader(process.replies)
        status = process.popen.wait()
        # Whatever the script has started from it.
        process.kill()
        was_ready = process.ready
        process.ready = False
        self._processes[process.index - 1] = None
        self._groups.set(process.index - 1, 0)
        self._tell_death(process, status, was_ready)
        process.close()
        if was_ready:
            self.replica.process_gone(self._settings.parallel_runs)
        self._changed()
        if self._stopping:
            return
        if not was_ready:
            if status == protocol.START_FAILED:
                self._failed(protocol.START_FAILED)
                return
            self._deaths_in_init += 1
            if self._deaths_in_init >= MOST_DEATHS_IN_INIT:
                log.error(
                    "The process that runs init() has died %d times before init() had ended, with no"
                    " exception. Most likely it was killed because memory ran out (the lines above name the"
                    " signal). Giving up.",
                    self._deaths_in_init,
                )
                self._failed(protocol.START_FAILED)
                return
        self._start(process.index - 1)
        self._hand_on(process)

    def _tell_death(self, process: Process, status: int, was_ready: bool) -> None:
        if self._stopping or (status == protocol.START_FAILED and not was_ready):
            return
        if status < 0:
            hint = " Perhaps out of memory?" if -status == signal.SIGKILL else ""
            name = signal.Signals(-status).name
            log.error("The script process (pid %d) was sent %s!%s", process.pid, name, hint)
        else:
            log.error("The script process (pid %d) ended with status %d", process.pid, status)

    # docs/decisions.md 55
    def _hand_on(self, process: Process) -> None:
        """Answer what a process had begun, and give the others what it had only taken from the pipe."""
        begun, taken = [], []
        in_pipe = self._take_back_records()
        for call in list(self._calls.values()):
            if not call.sent or call.block is None:
                continue
            by = call.block.begun_by
            if by == process.index or call.process is process:
                begun.append(call)
            elif not by:
                taken.append(call)
        for call in begun:
            self._crashed(call)
        alone = len(self._processes) == 1
        self._lost([call for call in taken if alone or call.number in in_pipe])
        if not alone:
            others = [call for call in taken if call.number not in in_pipe]
            self._loop.call_later(_CLAIMED_WITHIN_SECONDS, self._lost_unless_claimed, others)

    def _take_back_records(self) -> set[int]:
        """Return the calls whose records lie in the pipe, and take them out of it."""
        data = bytes(self._records)
        self._records.clear()
        with contextlib.suppress(BlockingIOError):
            while True:
                data += os.read(self._calls_read, 65536)
        return {number for number, _ in CALL.iter_unpack(data)}

    def _lost_unless_claimed(self, calls: Iterable[ScriptCall]) -> None:
        self._lost([call for call in calls if not call.ended and call.block and not call.block.begun_by])

    def _lost(self, calls: list[ScriptCall]) -> None:
        self.replica.lost(calls)
        for call in calls:
            if call.ended:
                self._drop(call)

    def _crashed(self, call: ScriptCall) -> None:
        if call.process is not None:
            call.end_stream(False)
        self.replica.crashed(call)
        self._drop(call)


class Groups:
    """Process groups of the script processes, in memory shared with the parent, which ends what is left."""

    _SIZE = 8

    def __init__(self, number: int) -> None:
        self._number = number
        self._shared = mmap.mmap(-1, max(number, 1) * self._SIZE)

    def set(self, index: int, group: int) -> None:
        """Note a group; 0 for none."""
        begin = index * self._SIZE
        self._shared[begin : begin + self._SIZE] = group.to_bytes(self._SIZE, sys.byteorder)

    def kill(self) -> None:
        """Kill all that is noted."""
        for index in range(self._number):
            begin = index * self._SIZE
            group = int.from_bytes(self._shared[begin : begin + self._SIZE], sys.byteorder)
            if group:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
                self.set(index, 0)
