"""The script processes: starts and stops them, passes calls and replies through pipes, and replaces them."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from gpu_inference_runtime.front.inbox import Inbox
from gpu_inference_runtime.front.pause import Pause
from gpu_inference_runtime.front.script_process import (
    ProcessGroups,
    ScriptCall,
    ScriptProcess,
    log_death,
    start_process,
)
from gpu_inference_runtime.scoring.counts import Counts
from gpu_inference_runtime.scoring.replica import Call, Replica
from gpu_inference_runtime.settings import Settings
from gpu_inference_script import protocol
from gpu_inference_script.config import Config
from gpu_inference_script.protocol import BLOCK_SIZE, CALL, REPLY

# One death may be chance: another pod may have needed the memory for a moment (docs/decisions.md 58).
MAX_DEATHS_IN_INIT = 3
# For how long, and how often, the signal that ends a call is repeated: it may arrive at a bad moment.
_INTERRUPT_SECONDS = 2.0
_INTERRUPT_AGAIN_SECONDS = 0.005
# Time for a process to write its traceback before it is killed.
_TRACEBACK_SECONDS = 1.0
# Time for a process to end by itself after it was told to stop.
_STOP_SECONDS = 3.0
# After a death: by then another process has marked the calls that it took from the pipe as begun.
_CLAIMED_WITHIN_SECONDS = 0.1
_READ_BYTES = 65536 // REPLY.size * REPLY.size
# A busy front waits this long before it looks for replies again, seconds.
_MIN_PAUSE, _MAX_PAUSE = 0.0002, 0.005

log = logging.getLogger("gpu_inference")


class ScriptProcesses:
    """All script processes; implements `scoring.replica.Scripts`.

    Args:
        settings: the number of processes, and their Python.
        config: the script's settings.
        loop: the event loop, which reads the replies.
        counts: where batches and collected rows are counted.
        groups: where the process groups are recorded for the parent process.
        failed: called with an exit status if the server cannot go on.
        changed: called when a process becomes ready, or dies.
    """

    replica: Replica

    def __init__(
        self,
        settings: Settings,
        config: Config,
        loop: asyncio.AbstractEventLoop,
        counts: Counts,
        groups: ProcessGroups,
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
        self._processes: list[ScriptProcess | None] = [None] * settings.worker_count
        self._calls: dict[int, ScriptCall] = {}
        self._last_number = 0
        self._deaths_in_init = 0
        self._stopping = False
        # Records for the pipe of calls, written together in the next step of the event loop.
        self._records = bytearray()
        self._calls_read, self._calls_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._pause = Pause(loop, self._collect_after_pause)
        # Recent seconds inside run(), which determine the length of the pause.
        self._run_seconds = 0.0
        self._batch_size = 1

    # State

    @property
    def all_ready(self) -> bool:
        """Whether every process takes calls."""
        return all(process is not None and process.ready for process in self._processes)

    @property
    def any_ready(self) -> bool:
        """Whether at least one process takes calls."""
        return any(process is not None and process.ready for process in self._processes)

    # Start and stop

    def start(self) -> None:
        """Start all processes."""
        for index in range(len(self._processes)):
            self._start(index)

    def _start(self, index: int) -> None:
        process = start_process(
            index + 1,
            self._config,
            python=self._settings.script_python or sys.executable,
            calls=self._calls_read,
            inbox=self.inbox.descriptor,
            several=len(self._processes) > 1,
        )
        self._processes[index] = process
        self._groups.set(index, process.pid)
        self._loop.add_reader(process.replies, self._collect_and_pause)
        self._loop.add_reader(process.pidfd, self._died, process)

    async def stop(self) -> None:
        """Stop all processes. Idle ones get some time to end by themselves; busy ones are killed."""
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
        """Kill all processes."""
        self._stopping = True
        for process in self._processes:
            if process is not None:
                process.kill()

    # Calls

    def submit(self, call: ScriptCall) -> None:
        """Give a call to the replica; its request must be in its block."""
        self._last_number += 1
        call.number = self._last_number
        self._calls[call.number] = call
        self.replica.arrive(call)
        if call.ended:
            self._drop(call)

    def hand_over(self, call: Call) -> None:
        """Write the call's record to the pipe, together with others of the same step of the event loop."""
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
        """Return whether a process has begun the call."""
        assert isinstance(call, ScriptCall)
        return call.block is not None and call.block.begun_by > 0

    def abandon(self, call: Call) -> None:
        """Have a call skipped."""
        assert isinstance(call, ScriptCall)
        if call.block is not None:
            call.block.abandon()

    def interrupt(self, call: Call) -> None:
        """Have a call end with a TimeoutError, if Python can interrupt it."""
        assert isinstance(call, ScriptCall)
        assert call.block is not None
        call.block.interrupt = True
        self._send_interrupt(call, time.monotonic() + _INTERRUPT_SECONDS)

    def _send_interrupt(self, call: ScriptCall, end: float) -> None:
        block = call.block
        if block is None or call.ended or not block.interrupt or time.monotonic() > end:
            return
        process = self._processes[block.begun_by - 1]
        if process is not None:
            process.signal(protocol.INTERRUPT_SIGNAL)
            self._loop.call_later(_INTERRUPT_AGAIN_SECONDS, self._send_interrupt, call, end)

    def replace(self, call: Call) -> None:
        """Kill the process that runs a call; another one starts when it is gone."""
        assert isinstance(call, ScriptCall)
        assert call.block is not None
        process = self._processes[call.block.begun_by - 1]
        if process is None:
            return
        log.error(
            "A call of run() still runs %d s after its scoring timeout (WORKER_TIMEOUT): the process is"
            " replaced, and init() runs again.",
            self._settings.worker_timeout_seconds,
        )
        # faulthandler writes what the script is doing (docs/decisions.md 62).
        process.signal(signal.SIGABRT)
        self._loop.call_later(_TRACEBACK_SECONDS, self._kill_if_there, process)

    def _kill_if_there(self, process: ScriptProcess) -> None:
        if process in self._processes:
            process.kill()

    def next_part(self, call: ScriptCall) -> None:
        """Request the next part of a streamed body."""
        if call.process is not None and not call.ended:
            self.replica.begin_part(call)
            call.process.order(protocol.NEXT_PART, call.number)

    def close_stream(self, call: ScriptCall) -> None:
        """Have a streamed body closed that has no client any more."""
        if call.process is not None and not call.ended:
            call.process.order(protocol.CLOSE_STREAM, call.number)

    # Replies

    def collect(self) -> None:
        """Read all replies that have arrived."""
        for process in self._processes:
            if process is not None:
                self._read(process)

    # docs/decisions.md 48
    def _collect_and_pause(self) -> None:
        """Read the replies, then do not watch for more while the processes have enough calls.

        Waking up for every reply costs more than anything else if front and script share a core.
        """
        self.collect()
        pause = min(self.replica.handed_over * self._run_seconds / (2 * len(self._processes)), _MAX_PAUSE)
        if pause >= _MIN_PAUSE and not self._pause.is_active:
            for process in self._processes:
                if process is not None:
                    self._loop.remove_reader(process.replies)
            self._pause.begin(pause)

    def _collect_after_pause(self) -> None:
        for process in self._processes:
            if process is not None:
                self._loop.add_reader(process.replies, self._collect_and_pause)
        self._collect_and_pause()

    def _read(self, process: ScriptProcess) -> None:
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
        process: ScriptProcess,
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
            self._handle_message(process, kind, offset, length, extra)
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
        if kind == protocol.RESPONSE:
            self._run_seconds += (seconds - self._run_seconds) / 8
            if extra:
                # The size of the batch comes with its first call.
                self._batch_size = extra
                self._counts.batch_requests.observe(extra)
            self.replica.replied(call, None if flags & protocol.REFUSED else seconds, self._batch_size)
            if not call.answered:
                call.answered = True
                call.ran(seconds)
                call.respond(status, flags, head, content[end : end + length])
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
            call.send_part(part)
        elif kind in (protocol.END, protocol.BROKEN):
            call.end_stream(kind == protocol.END)
            self._end(call)
        else:
            self._end(call)

    def _handle_message(
        self, process: ScriptProcess, kind: int, offset: int, length: int, extra: int
    ) -> None:
        """Handle a reply that belongs to no call."""
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

    def _became_ready(self, process: ScriptProcess, document: dict[str, Any]) -> None:
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

    def _died(self, process: ScriptProcess) -> None:
        self._loop.remove_reader(process.pidfd)
        self._read(process)
        self._loop.remove_reader(process.replies)
        status = process.popen.wait()
        # Kill the processes that the script started.
        process.kill()
        was_ready = process.ready
        process.ready = False
        self._processes[process.index - 1] = None
        self._groups.set(process.index - 1, 0)
        if not (self._stopping or (status == protocol.START_FAILED and not was_ready)):
            log_death(process, status)
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
            if self._deaths_in_init >= MAX_DEATHS_IN_INIT:
                log.error(
                    "The process that runs init() has died %d times before init() had ended, with no"
                    " exception. Most likely it was killed because memory ran out (the lines above name the"
                    " signal). Giving up.",
                    self._deaths_in_init,
                )
                self._failed(protocol.START_FAILED)
                return
        self._start(process.index - 1)
        self._reassign_calls(process)

    # docs/decisions.md 55
    def _reassign_calls(self, process: ScriptProcess) -> None:
        """Fail the calls that a dead process had begun; requeue those that it had only read from the pipe."""
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
        self._requeue([call for call in taken if alone or call.number in in_pipe])
        if not alone:
            others = [call for call in taken if call.number not in in_pipe]
            self._loop.call_later(_CLAIMED_WITHIN_SECONDS, self._requeue_unclaimed, others)

    def _take_back_records(self) -> set[int]:
        """Return the calls whose records are in the pipe, and remove the records."""
        data = bytes(self._records)
        self._records.clear()
        with contextlib.suppress(BlockingIOError):
            while True:
                data += os.read(self._calls_read, 65536)
        return {number for number, _ in CALL.iter_unpack(data)}

    def _requeue_unclaimed(self, calls: Iterable[ScriptCall]) -> None:
        self._requeue([call for call in calls if not call.ended and call.block and not call.block.begun_by])

    def _requeue(self, calls: list[ScriptCall]) -> None:
        self.replica.requeue(calls)
        for call in calls:
            if call.ended:
                self._drop(call)

    def _crashed(self, call: ScriptCall) -> None:
        if call.process is not None:
            call.end_stream(False)
        self.replica.crashed(call)
        self._drop(call)
