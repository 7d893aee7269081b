"""Calls on the script's thread: streamed bodies and their slots, and calls that never seem to end."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.runtime.bench import SETTINGS

from gpu_inference_runtime.messages import Answer
from gpu_inference_runtime.process.state import State
from gpu_inference_runtime.script.script_thread import ScriptThread
from gpu_inference_runtime.script.streams import AnswerStream, StreamBrokenError
from gpu_inference_runtime.service.calls import Calls
from gpu_inference_runtime.service.slots import ClosedError, Slots
from gpu_inference_runtime.settings import Settings

PATIENCE = 60
QUICK = replace(SETTINGS, scoring_timeout_ms=50)


class Desk:
    """Calls, with one slot that is taken for each."""

    def __init__(self, settings: Settings = SETTINGS, threads: int = 1) -> None:
        self.state = State()
        self.slots = Slots(1, 0.0, 0)
        self.script = ScriptThread()
        for _ in range(threads):
            self.script.serve_in_background()
        self.replaced = threading.Event()
        self.calls = Calls(settings, self.script, self.slots, self.state, self.replaced.set)

    def answer(self, call: Callable[[], Answer]) -> Answer:
        self.slots.take()
        return self.calls.answer(call)

    def stream(self, parts: Iterator[bytes]) -> AnswerStream:
        body = self.answer(lambda: Answer(200, parts)).body
        assert isinstance(body, AnswerStream)
        return body

    def wait_until_idle(self) -> None:
        """Wait for what was submitted until now."""
        self.script.submit(lambda: None).result(PATIENCE)


class Held:
    """Something of the script's that waits to be let go."""

    def __init__(self) -> None:
        self.begun, self.go, self.closed = threading.Event(), threading.Event(), threading.Event()

    def wait(self) -> None:
        self.begun.set()
        assert self.go.wait(PATIENCE)

    def parts(self) -> Iterator[bytes]:
        try:
            yield b"first"
            self.wait()
            yield b"second"
        finally:
            self.closed.set()


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.go.set()


def test_a_stream_that_is_read_to_its_end_gives_its_slot_back() -> None:
    desk = Desk()
    stream = desk.stream(iter([b"a", b"", b"b"]))
    assert desk.slots.taken == 1
    assert list(stream) == [b"a", b"", b"b"]
    desk.wait_until_idle()
    assert desk.slots.taken == 0


def test_a_stream_that_nobody_reads_is_closed_and_gives_its_slot_back(held: Held) -> None:
    desk = Desk()
    stream = desk.stream(held.parts())
    del stream
    assert held.closed.wait(PATIENCE)
    desk.wait_until_idle()
    assert desk.slots.taken == 0


def test_closing_twice_gives_back_one_slot() -> None:
    desk = Desk()
    stream = desk.stream(iter([b"a"]))
    stream.close()
    stream.close()
    desk.wait_until_idle()
    assert desk.slots.taken == 0
    assert list(stream) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_a_part_past_its_time_breaks_the_stream_and_keeps_the_slot_until_it_ends(
    held: Held, threads: int
) -> None:
    desk = Desk(QUICK, threads)
    stream = desk.stream(held.parts())
    assert next(stream) == b"first"
    with pytest.raises(StreamBrokenError):
        next(stream)
    stream.close()
    assert desk.state.stuck
    assert desk.slots.taken == 1
    assert not held.closed.is_set()
    held.go.set()
    # Closed in the end, and not while its part was made, which would raise.
    assert held.closed.wait(PATIENCE)
    for _ in range(threads):
        desk.wait_until_idle()
    assert not desk.state.stuck
    assert list(stream) == []


def test_a_stream_that_comes_after_its_calls_timeout_is_closed(held: Held) -> None:
    desk = Desk(QUICK)
    parts = held.parts()
    later = threading.Event()

    def call() -> Answer:
        later.wait(PATIENCE)
        return Answer(200, parts)

    assert desk.answer(call).status == 504
    later.set()
    assert held.closed.wait(PATIENCE)
    desk.wait_until_idle()
    assert desk.slots.taken == 0


def test_a_call_that_goes_on_after_its_timeout_has_the_process_replaced(held: Held) -> None:
    desk = Desk(replace(QUICK, worker_timeout_seconds=0))

    def call() -> Answer:
        held.wait()
        return Answer(200, b"")

    assert desk.answer(call).status == 504
    assert desk.replaced.wait(PATIENCE)


def test_a_call_that_ends_soon_after_its_timeout_does_not(held: Held) -> None:
    desk = Desk(replace(QUICK, worker_timeout_seconds=2))

    def call() -> Answer:
        held.wait()
        return Answer(200, b"")

    assert desk.answer(call).status == 504
    held.go.set()
    desk.wait_until_idle()
    assert not desk.replaced.wait(2.5)
    assert desk.slots.taken == 0


def test_closing_tells_those_that_wait_for_their_turn_and_begins_nothing_more(held: Held) -> None:
    desk = Desk()
    outcomes: list[Any] = []

    def hold() -> Answer:
        held.wait()
        return Answer(200, b"held")

    def wait_for(call: Callable[[], Answer]) -> None:
        try:
            outcomes.append(desk.calls.answer(call).body)
        except ClosedError:
            outcomes.append(ClosedError)

    desk.slots.take()
    first = threading.Thread(target=wait_for, args=(hold,))
    first.start()
    assert held.begun.wait(PATIENCE)
    second = threading.Thread(target=wait_for, args=(lambda: pytest.fail("it began"),))
    second.start()
    desk.calls.close()
    second.join(PATIENCE)
    with pytest.raises(ClosedError):
        desk.calls.answer(lambda: pytest.fail("it began"))
    held.go.set()
    first.join(PATIENCE)
    assert outcomes == [ClosedError, b"held"]


def test_closed_slots_tell_those_that_wait_at_once() -> None:
    slots = Slots(1, None, 5)
    slots.take()
    outcomes: list[str] = []

    def wait() -> None:
        try:
            slots.take()
        except ClosedError:
            outcomes.append("closed")

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not slots.waiting:
        threading.Event().wait(0.01)
    slots.close()
    waiting.join(PATIENCE)
    assert outcomes == ["closed"]
    with pytest.raises(ClosedError), slots.place():
        pass
    with pytest.raises(ClosedError):
        slots.take()
