"""Overdue calls on the main thread: they are ended by a signal, and nothing else is ever hit by it.

An alarm that finds no handler ends the whole test run: that is what these tests would fail with.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from gpu_inference_script import interrupts as module
from gpu_inference_script.protocol import INTERRUPT_SIGNAL

PATIENCE = 60
CALL = "this call"
made: "list[Interrupts]" = []


class Interrupts(module.Interrupts):
    """With what the front does: it notes which call is to end, and sends the signal until it is delivered."""

    def __init__(self) -> None:
        self.wanted: object = None
        super().__init__(lambda call: self.wanted is call, self.deliver)
        made.append(self)

    def deliver(self, call: object) -> None:
        if self.wanted is call:
            self.wanted = None

    def interrupt(self, call: object) -> None:
        self.wanted = call
        self.send()
        threading.Thread(target=self.insist, args=(call,), daemon=True).start()

    def send(self) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, INTERRUPT_SIGNAL)

    def insist(self, call: object) -> None:
        end = time.monotonic() + 2
        while self.wanted is call and time.monotonic() < end:
            self.send()
            time.sleep(0.002)


@pytest.fixture(autouse=True)
def restored_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    while made:
        made.pop().restore()
    assert signal.getsignal(signal.SIGALRM) is before
    time.sleep(0.01)
    signal.signal(INTERRUPT_SIGNAL, signal.SIG_DFL)


def soon(action: Callable[[], object], seconds: float = 0.05) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


def sleep() -> None:
    time.sleep(PATIENCE)


def compute() -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        pass


def read() -> None:
    one, _other = socket.socketpair()
    one.recv(1)


def wait_for_a_lock() -> None:
    threading.Event().wait(PATIENCE)


@pytest.mark.parametrize("function", [sleep, compute, read, wait_for_a_lock])
def test_a_call_is_ended_wherever_python_waits_or_computes(function: Callable[[], None]) -> None:
    interrupts = Interrupts()
    soon(partial(interrupts.interrupt, CALL))
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        interrupts.run(CALL, function)
    assert time.monotonic() - began < PATIENCE / 2


def test_a_call_that_has_not_begun_ends_at_its_beginning() -> None:
    interrupts = Interrupts()
    interrupts.interrupt(CALL)
    assert interrupts.run("another call", lambda: 7) == 7
    with pytest.raises(TimeoutError):
        interrupts.run(CALL, lambda: pytest.fail("it began"))


def test_a_call_that_has_ended_is_left_alone() -> None:
    interrupts = Interrupts()
    assert interrupts.run(CALL, lambda: 7) == 7
    interrupts.interrupt(CALL)
    time.sleep(0.05)
    assert interrupts.run("the next call", lambda: 8) == 8


def test_a_call_that_catches_the_error_is_not_interrupted_again() -> None:
    interrupts = Interrupts()

    def stubborn() -> str:
        with pytest.raises(TimeoutError):
            sleep()
        interrupts.interrupt(CALL)
        time.sleep(0.05)
        return "at last"

    soon(partial(interrupts.interrupt, CALL))
    assert interrupts.run(CALL, stubborn) == "at last"


@pytest.fixture
def quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switches")
def test_interrupts_hit_their_own_call_or_nothing() -> None:
    interrupts = Interrupts()
    current = [object()]
    over = threading.Event()

    def strike() -> None:
        while not over.is_set():
            interrupts.wanted = current[0]
            interrupts.send()
            time.sleep(1e-5)

    def work() -> None:
        for _ in range(200):
            pass

    striker = threading.Thread(target=strike, daemon=True)
    striker.start()
    ended = interrupted = 0
    give_up = time.monotonic() + PATIENCE
    while min(ended, interrupted) < 100 and time.monotonic() < give_up:
        current[0] = object()
        try:
            interrupts.run(current[0], work)
            ended += 1
        except TimeoutError:
            interrupted += 1
    over.set()
    striker.join(PATIENCE)
    assert min(ended, interrupted) >= 100


def test_a_call_with_a_handler_of_its_own_is_not_interrupted() -> None:
    interrupts = Interrupts()
    heard: list[int] = []

    def careful() -> str:
        signal.signal(signal.SIGALRM, lambda number, _: heard.append(number))
        time.sleep(0.2)
        return "undisturbed"

    soon(partial(interrupts.interrupt, CALL))
    assert interrupts.run(CALL, careful) == "undisturbed"
    assert heard == []


def test_an_alarm_of_the_script_reaches_its_own_handler() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: heard.append(number))
    try:

        def alarmed() -> None:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            end = time.monotonic() + PATIENCE
            while not heard and time.monotonic() < end:
                time.sleep(0.01)

        interrupts = Interrupts()
        interrupts.run(CALL, alarmed)
        interrupts.restore()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert heard == [signal.SIGALRM]


def test_an_alarm_without_a_handler_is_a_timeout_as_it_was_in_v1() -> None:
    def alarmed() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        sleep()

    with pytest.raises(TimeoutError):
        Interrupts().run(CALL, alarmed)


class SlowHandler(logging.Handler):
    begun = ended = 0

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002  (the base class has it)
        self.begun += 1
        time.sleep(0.1)
        self.ended += 1


def test_an_interrupted_log_line_leaves_no_lock_taken() -> None:
    interrupts = Interrupts()
    handler = SlowHandler()
    logger = logging.Logger("slow")
    logger.addHandler(handler)

    def chatty() -> None:
        while True:
            logger.info("again")
            time.sleep(0.05)

    soon(partial(interrupts.interrupt, CALL))
    with pytest.raises(TimeoutError):
        interrupts.run(CALL, chatty)
    assert handler.begun == handler.ended > 0
    other = threading.Thread(target=logger.info, args=("from elsewhere",))
    other.start()
    other.join(PATIENCE)
    assert not other.is_alive()


def test_on_another_thread_a_call_is_just_made() -> None:
    interrupts = Interrupts()
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(interrupts.run(CALL, lambda: 7)))
    thread.start()
    thread.join(PATIENCE)
    interrupts.interrupt(CALL)
    assert results == [7]


def test_a_late_signal_hits_neither_the_next_call_nor_a_pause() -> None:
    interrupts = Interrupts()
    soon(partial(interrupts.interrupt, CALL))
    with pytest.raises(TimeoutError):
        interrupts.run(CALL, sleep)
    # Sent before the front could notice that the call was told.
    signal.raise_signal(INTERRUPT_SIGNAL)
    assert interrupts.run("the next call", lambda: signal.raise_signal(INTERRUPT_SIGNAL)) is None
    # Nor the same call's next part.
    assert interrupts.run(CALL, lambda: 7) == 7


def test_a_call_that_gives_the_alarm_back_can_be_ended_again() -> None:
    interrupts = Interrupts()

    def careful_for_a_while() -> None:
        before = signal.signal(signal.SIGALRM, lambda *_: None)
        time.sleep(0.1)
        signal.signal(signal.SIGALRM, before)
        sleep()

    soon(partial(interrupts.interrupt, CALL), 0.02)
    with pytest.raises(TimeoutError):
        interrupts.run(CALL, careful_for_a_while)


def test_a_log_line_that_never_ends_is_no_refuge() -> None:
    class HangingHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
            sleep()

    interrupts = Interrupts()
    logger = logging.Logger("hanging")
    logger.addHandler(HangingHandler())
    soon(partial(interrupts.interrupt, CALL))
    with pytest.raises(TimeoutError):
        interrupts.run(CALL, partial(logger.info, "never written"))


@pytest.mark.parametrize(
    ("before", "status"), [(signal.SIG_DFL, signal.SIGALRM), (signal.SIG_IGN, 0)], ids=["default", "ignored"]
)
def test_an_alarm_without_a_handler_between_calls_is_as_ever(before: signal.Handlers, status: int) -> None:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, before)
        Interrupts().run(CALL, lambda: None)
        signal.raise_signal(signal.SIGALRM)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == status


def test_an_alarm_at_the_end_of_a_told_call_ends_nothing() -> None:
    def stubborn() -> str:
        with pytest.raises(TimeoutError):
            sleep()
        signal.raise_signal(signal.SIGALRM)
        return "at last"

    interrupts = Interrupts()
    soon(partial(interrupts.interrupt, CALL))
    assert interrupts.run(CALL, stubborn) == "at last"
