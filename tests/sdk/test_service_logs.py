"""What `get_logs` and a failed deployment show of containers that come, end and are tried again."""

from typing import Any

import pytest

from gpu_inference.service.pod_logs import ended_log, pod_log

RUNNING: dict[str, Any] = {"running": {}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}
ENDED = {"terminated": {"exitCode": 3}}
# The logs of a container's runs, by whether it is the run before.
PRESENT = {False: "now 1\nnow 2\n"}
BEFORE = {True: "before 1\nbefore 2\n"}
BOTH = {**PRESENT, **BEFORE}


def pod(
    state: dict[str, Any], restarts: int = 0, last: dict[str, Any] | None = None, kind: str = "container"
) -> dict[str, Any]:
    container = {"name": "server", "state": state, "restartCount": restarts, "lastState": last or {}}
    return {"status": {f"{kind}Statuses": [container]}}


class Logs:
    """The logs that are left, and which were asked for."""

    def __init__(self, left: dict[bool, str]) -> None:
        self.left = left
        self.asked: list[bool] = []

    def __call__(self, container: str, previous: bool) -> str | None:
        assert container == "server"
        self.asked.append(previous)
        return self.left.get(previous)


@pytest.mark.parametrize("state", [RUNNING, ENDED])
def test_a_container_in_its_first_run_is_read_as_it_is(state: dict[str, Any]) -> None:
    assert pod_log(pod(state), Logs(PRESENT), 10) == "now 1\nnow 2\n"
    assert ended_log(pod(state), Logs(PRESENT)) == "now 1\nnow 2\n"


def test_a_container_that_has_not_begun_has_no_log_and_is_not_asked() -> None:
    logs = Logs({})
    assert pod_log(pod({"waiting": {"reason": "ContainerCreating"}}), logs, 10) == ""
    assert ended_log(pod({}), logs) == ""
    assert pod_log({"status": {}}, logs, 10) == ""
    assert logs.asked == []


def test_a_container_that_was_started_again_shows_the_run_before_first() -> None:
    assert pod_log(pod(RUNNING, restarts=1), Logs(BOTH), 10) == "before 1\nbefore 2\nnow 1\nnow 2\n"


def test_a_container_that_was_started_again_and_is_silent_still_shows_why() -> None:
    assert pod_log(pod(RUNNING, restarts=1), Logs({**BEFORE, False: ""}), 10) == "before 1\nbefore 2\n"


def test_only_the_last_lines_of_a_container_are_returned() -> None:
    assert pod_log(pod(RUNNING, restarts=1), Logs(BOTH), 3) == "before 2\nnow 1\nnow 2\n"


@pytest.mark.parametrize("status", [pod(WAITING, restarts=2), pod(WAITING, last=ENDED)])
def test_a_container_between_two_tries_shows_the_one_before(status: dict[str, Any]) -> None:
    assert pod_log(status, Logs(BOTH), 10) == "before 1\nbefore 2\n"
    assert ended_log(status, Logs(BOTH)) == "before 1\nbefore 2\n"


def test_a_failure_is_told_by_the_run_that_ended_last() -> None:
    assert ended_log(pod(RUNNING, restarts=1), Logs(BOTH)) == "before 1\nbefore 2\n"
    assert ended_log(pod(ENDED, restarts=1), Logs(BOTH)) == "now 1\nnow 2\n"


def test_a_run_that_is_cleared_away_meanwhile_gives_way_to_the_other_one() -> None:
    assert pod_log(pod(RUNNING), Logs(BEFORE), 10) == "before 1\nbefore 2\n"
    assert ended_log(pod(WAITING, restarts=1), Logs(PRESENT)) == "now 1\nnow 2\n"
    assert ended_log(pod(ENDED), Logs({})) == ""


@pytest.mark.parametrize("state", [RUNNING, ENDED])
def test_a_run_that_was_started_meanwhile_and_is_silent_gives_way_to_the_one_before(
    state: dict[str, Any],
) -> None:
    logs = {**BEFORE, False: ""}
    assert pod_log(pod(state), Logs(logs), 10) == "before 1\nbefore 2\n"
    assert ended_log(pod(state), Logs(logs)) == "before 1\nbefore 2\n"


def test_no_run_is_shown_twice_where_only_one_is_left_of_two() -> None:
    assert pod_log(pod(RUNNING, restarts=1), Logs(PRESENT), 10) == "now 1\nnow 2\n"
    assert pod_log(pod(ENDED, restarts=1), Logs(BEFORE), 10) == "before 1\nbefore 2\n"


def test_init_containers_are_read_by_themselves() -> None:
    status = pod(ENDED, kind="initContainer")
    assert pod_log(status, Logs(PRESENT), 10, init=True) == "now 1\nnow 2\n"
    assert pod_log(status, Logs(PRESENT), 10) == ""
