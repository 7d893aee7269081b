"""Waiting for a deployment ends, and speaks, as the SDK's wait_for_deployment did."""

from collections.abc import Callable, Iterable

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.state import ServiceState
from gpu_inference.service.waiting import wait_until_healthy

TRANSITIONING = ServiceState("Transitioning")
HEALTHY = ServiceState("Healthy")
NO_GPU = ServiceState("Unschedulable", "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")


def wait(
    states: Iterable[ServiceState],
    *,
    show_output: bool = False,
    timeout_sec: float | None = None,
    unschedulable_sec: float = 300,
) -> None:
    following = iter(states)
    last = HEALTHY

    def status() -> ServiceState:
        nonlocal last
        last = next(following, last)
        return last

    wait_until_healthy(
        "abc",
        status,
        revision=lambda: 7,
        show_output=show_output,
        timeout_sec=timeout_sec,
        unschedulable_sec=unschedulable_sec,
        poll_seconds=0,
    )


def test_it_returns_silently_when_the_service_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    wait([TRANSITIONING, TRANSITIONING, HEALTHY])
    assert capsys.readouterr().out == ""


def test_it_shows_each_change_once_and_ends_with_v1s_line(capsys: pytest.CaptureFixture[str]) -> None:
    wait([TRANSITIONING, TRANSITIONING, NO_GPU, HEALTHY], show_output=True)
    assert capsys.readouterr().out.splitlines() == [
        "Transitioning",
        f"Unschedulable: {NO_GPU.error}",
        "Healthy",
        'AKS service creation operation finished, operation "Succeeded"',
    ]


def test_a_failed_service_is_told_at_once_in_v1s_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GpuInferenceError) as caught:
        wait([TRANSITIONING, ServiceState("Failed", "ValueError: no model"), HEALTHY], show_output=True)
    assert capsys.readouterr().out == "Transitioning\nFailed\n"
    assert str(caught.value) == (
        "Service deployment polling reached non-successful terminal state, current service state: Failed\n"
        "Operation ID: abc/7\n"
        "More information can be found using '.get_logs()'\n"
        "Error:\n"
        "ValueError: no model"
    )


def test_an_unhealthy_service_may_still_become_healthy() -> None:
    wait([ServiceState("Unhealthy", "It restarts."), HEALTHY])


def test_a_service_that_stays_unschedulable_is_given_up_with_the_schedulers_reason() -> None:
    with pytest.raises(GpuInferenceError) as caught:
        wait([NO_GPU, NO_GPU], unschedulable_sec=0)
    assert (
        "Couldn't Schedule because the kubernetes cluster didn't have available resources after trying for "
        "00:00:00\n0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    ) in str(caught.value)


def test_a_service_that_finds_its_gpu_in_time_is_not_given_up() -> None:
    wait([NO_GPU, NO_GPU, TRANSITIONING, NO_GPU, HEALTHY], unschedulable_sec=60)


@pytest.mark.parametrize("state", [TRANSITIONING, NO_GPU])
def test_the_callers_own_time_limit_names_the_state(state: ServiceState) -> None:
    with pytest.raises(
        GpuInferenceError, match=r"exceeded timeout override of 0s\. Current status: "
    ) as caught:
        wait([state], timeout_sec=0)
    assert state.state in str(caught.value)
    assert "gpu-inference state abc" in str(caught.value)


def test_an_error_while_asking_ends_the_waiting() -> None:
    def failing() -> Callable[[], ServiceState]:
        def status() -> ServiceState:
            raise GpuInferenceError("The cluster does not answer.")

        return status

    with pytest.raises(GpuInferenceError, match="does not answer"):
        wait_until_healthy(
            "abc",
            failing(),
            revision=lambda: 1,
            show_output=False,
            timeout_sec=None,
            unschedulable_sec=300,
            poll_seconds=0,
        )
