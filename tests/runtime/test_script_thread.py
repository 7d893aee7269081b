"""The script's thread: one call at a time, in order, always the same thread."""

import threading
from contextvars import ContextVar
from functools import partial

import pytest

from gpu_inference_runtime.script.script_thread import ScriptThread

PATIENCE = 60


def serving() -> ScriptThread:
    script = ScriptThread()
    script.serve_in_background()
    return script


def test_all_calls_run_on_one_thread_in_order() -> None:
    script = serving()
    seen: list[int] = []

    def note(number: int) -> int:
        seen.append(number)
        return threading.get_ident()

    futures = [script.submit(partial(note, number)) for number in range(20)]
    assert len({future.result(PATIENCE) for future in futures}) == 1
    assert seen == list(range(20))


def test_a_call_sees_the_context_of_who_submitted_it() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")
    script = serving()
    token = variable.set("mine")
    future = script.submit(variable.get)
    variable.reset(token)
    assert future.result(PATIENCE) == "mine"
    assert script.submit(variable.get).result(PATIENCE) == "none"


def test_what_the_script_sets_in_context_variables_holds_in_its_next_calls() -> None:
    of_script: ContextVar[str] = ContextVar("of_script", default="none")
    of_request: ContextVar[str] = ContextVar("of_request", default="none")
    script = serving()

    def asked(request: str, value: str) -> tuple[str, str]:
        """Return what a call finds that a request submits; the call sets both."""

        def call() -> tuple[str, str]:
            found = of_script.get(), of_request.get()
            of_script.set(value)
            of_request.set("by the script")
            return found

        token = of_request.set(request)
        future = script.submit(lambda: script.with_variables(call))
        of_request.reset(token)
        return future.result(PATIENCE)

    assert asked("first", "one") == ("none", "first")
    assert asked("second", "two") == ("one", "second")
    assert script.submit(of_script.get).result(PATIENCE) == "none"


def test_a_context_variable_that_a_failing_call_has_set_holds_and_one_that_was_taken_back_does_not() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="none")
    script = serving()

    def fail() -> None:
        variable.set("before the failure")
        raise KeyError

    def take_back() -> str:
        token = variable.set("for a moment")
        variable.reset(token)
        return variable.get()

    assert script.submit(lambda: script.with_variables(take_back)).result(PATIENCE) == "none"
    assert script.submit(lambda: script.with_variables(variable.get)).result(PATIENCE) == "none"
    with pytest.raises(KeyError):
        script.submit(lambda: script.with_variables(fail)).result(PATIENCE)
    assert script.submit(lambda: script.with_variables(variable.get)).result(PATIENCE) == "before the failure"


def test_a_call_that_raises_or_exits_does_not_end_the_thread() -> None:
    script = serving()

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        script.submit(leave).result(PATIENCE)
    assert script.submit(lambda: 7).result(PATIENCE) == 7


def test_a_call_cancelled_while_it_waits_never_runs() -> None:
    script = serving()
    go = threading.Event()
    started = threading.Event()
    ran: list[str] = []

    def hold() -> None:
        started.set()
        go.wait(PATIENCE)

    first = script.submit(hold)
    second = script.submit(lambda: ran.append("second"))
    assert started.wait(PATIENCE)
    assert script.busy
    assert not first.cancel()
    assert second.cancel()
    go.set()
    script.submit(lambda: None).result(PATIENCE)
    assert ran == []
    assert not script.busy
