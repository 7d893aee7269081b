"""The management port's answers, by what the workers' processes have left in the memory that they share."""

import os
import signal

import pytest

from gpu_inference_runtime.observability.metrics import Metrics
from gpu_inference_runtime.observability.worker_metrics import WorkerMetrics
from gpu_inference_runtime.process import state as state_module
from gpu_inference_runtime.process.management import Management
from gpu_inference_runtime.process.state import State

LONGEST_CALL_SECONDS = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(state_module, "time", clock)
    return clock


def ready_state() -> State:
    state = State()
    state.sign_of_life()
    state.ready = True
    return state


def management(*states: State) -> Management:
    return Management(states, WorkerMetrics(patience_seconds=0.05), LONGEST_CALL_SECONDS)


def ready(*states: State) -> tuple[int, str]:
    status, body, _ = management(*states).answer("/ready")
    return status, body.decode()


def test_ready_means_that_every_worker_is() -> None:
    assert ready(ready_state(), ready_state()) == (200, "Ready\n")
    assert ready(ready_state(), State()) == (503, "Starting\n")


def test_a_draining_worker_takes_the_pod_out() -> None:
    state = ready_state()
    state.draining = True
    assert ready(ready_state(), state) == (503, "Draining\n")


def test_a_call_past_its_time_takes_the_pod_out_until_it_ends() -> None:
    state = ready_state()
    state.call_overdue()
    state.call_overdue()
    state.overdue_call_ended()
    assert ready(state) == (503, "A call of run() has outlived the scoring timeout\n")
    state.overdue_call_ended()
    assert ready(state) == (200, "Ready\n")


def test_a_silent_worker_is_one_whose_call_may_still_be_in_time_and_then_is_stuck(clock: Clock) -> None:
    state = ready_state()
    clock.now += LONGEST_CALL_SECONDS
    assert ready(state) == (200, "Ready\n")
    clock.now += 3
    assert ready(state) == (503, "A call of run() has outlived the scoring timeout\n")
    state.sign_of_life()
    assert ready(state) == (200, "Ready\n")


def test_after_a_workers_end_its_successor_is_starting() -> None:
    state = ready_state()
    state.past_init = True
    state.call_overdue()
    state.clear()
    assert ready(state) == (503, "Starting\n")
    assert not state.past_init
    state.ready = True
    assert ready(state) == (200, "Ready\n")


def test_the_parent_sees_what_a_forked_worker_notes() -> None:
    state = State()
    worker = os.fork()
    if worker == 0:
        state.ready = True
        state.call_overdue()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(worker, 0)
    assert state.ready
    assert state.stuck


def test_live_asks_no_worker_and_metrics_say_when_none_answers() -> None:
    nobody = management(State())
    assert nobody.answer("/live")[:2] == (200, b"Live\n")
    assert nobody.answer("/metrics")[:2] == (503, b"No worker process answers at the moment\n")
    assert nobody.answer("/other")[0] == 404


def test_metrics_come_from_the_worker() -> None:
    metrics = Metrics()
    metrics.requests.labels(code="200").inc()
    channel = WorkerMetrics()
    channel.offer(metrics)
    status, body, content_type = Management([State()], channel, LONGEST_CALL_SECONDS).answer("/metrics")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert b'gpu_inference_requests_total{code="200"} 1.0' in body
