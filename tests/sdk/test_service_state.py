"""A service's state and its reason, told from objects that a real cluster (Kubernetes 1.37) sent.

Each file in `observed/` holds the objects of one service at one moment, without the fields that nobody reads,
and the end of its pods' logs.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gpu_inference.service.pod_faults import last_traceback
from gpu_inference.service.state import ServiceObjects, ServiceState, service_state

OBSERVED = Path(__file__).parent / "observed"


def observed(
    name: str, change: Callable[[dict[str, Any]], None] = lambda _: None, later: float = 0
) -> ServiceObjects:
    """The objects of a file, changed if told, looked at so many seconds later."""
    objects = json.loads((OBSERVED / f"{name}.json").read_text())
    change(objects)
    return ServiceObjects(
        deployment=objects["deployment"],
        replica_sets=objects["replica_sets"],
        pods=objects["pods"],
        jobs=objects["jobs"],
        warnings=objects["warnings"],
        log_tail=lambda pod: str(objects["logs"][pod["metadata"]["name"]]),
        now=datetime.fromisoformat(objects["now"]) + timedelta(seconds=later),
    )


def scoring_pod(objects: dict[str, Any]) -> dict[str, Any]:
    [pod] = [
        pod
        for pod in objects["pods"]
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "scoring"
    ]
    found: dict[str, Any] = pod
    return found


def container(objects: dict[str, Any]) -> dict[str, Any]:
    [only] = scoring_pod(objects)["status"]["containerStatuses"]
    found: dict[str, Any] = only
    return found


def test_a_service_whose_replicas_all_serve_is_healthy() -> None:
    assert service_state(observed("healthy")) == ServiceState("Healthy")


def test_a_change_that_kubernetes_has_not_seen_yet_is_under_way() -> None:
    def change(objects: dict[str, Any]) -> None:
        objects["deployment"]["metadata"]["generation"] += 1

    assert service_state(observed("healthy", change)).state == "Transitioning"


def test_a_rollout_is_under_way_while_pods_of_both_versions_live() -> None:
    assert service_state(observed("rollout")) == ServiceState("Transitioning")


def test_a_service_scaled_to_nothing_is_unhealthy() -> None:
    def change(objects: dict[str, Any]) -> None:
        objects["deployment"]["spec"]["replicas"] = 0

    assert service_state(observed("healthy", change)) == ServiceState(
        "Unhealthy", "The service is scaled to 0 replicas."
    )


def test_an_init_that_raises_is_failed_with_the_end_of_its_traceback() -> None:
    status = service_state(observed("init_raises"))
    assert status.state == "Failed"
    assert status.error is not None
    assert status.error.startswith(
        "The entry script could not be loaded or its init() raised (pod init-fails-"
    )
    assert "score.py\", line 3, in init\n    json.loads('no model here')\n" in status.error
    assert status.error.endswith("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n")


def test_a_failed_init_stays_failed_while_its_next_try_runs() -> None:
    def change(objects: dict[str, Any]) -> None:
        now = container(objects)
        ended = now["state"].get("terminated") or now["lastState"]["terminated"]
        now["lastState"] = {"terminated": ended}
        now["state"] = {"running": {"startedAt": objects["now"]}}
        now["restartCount"] = 1

    assert service_state(observed("init_raises", change)).state == "Failed"


def test_a_pod_that_no_node_has_a_gpu_for_is_unschedulable() -> None:
    status = service_state(observed("no_gpu"))
    assert status.state == "Unschedulable"
    assert status.error is not None
    assert status.error.endswith("fits on no node: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")


def test_a_service_that_lacks_gpus_stays_unschedulable_when_its_rollout_is_overdue() -> None:
    assert service_state(observed("no_gpu", _overdue)).state == "Unschedulable"


def test_an_image_that_cannot_be_pulled_is_failed_and_named() -> None:
    status = service_state(observed("no_image"))
    assert status.state == "Failed"
    assert status.error is not None
    assert status.error.startswith("The image registry.invalid/nobody/nothing:1 of pod no-image-")
    assert "cannot be pulled" in status.error


def test_an_image_that_is_a_volume_is_named_when_it_cannot_be_pulled() -> None:
    def change(objects: dict[str, Any]) -> None:
        pod = scoring_pod(objects)
        pod["spec"]["volumes"] = [{"name": "tmp"}, {"name": "model-0", "image": {"reference": "team/net:1"}}]
        message = 'Back-off pulling image "team/net:1": ErrImagePull: not found'
        container(objects)["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
        objects["pods"] = [pod]

    error = service_state(observed("no_image", change)).error
    assert error is not None
    assert error.startswith("The image team/net:1 of pod ")


def test_the_first_failed_pull_may_still_be_made_good() -> None:
    def change(objects: dict[str, Any]) -> None:
        for pod in objects["pods"]:
            for one in pod["status"].get("containerStatuses", []):
                if "waiting" in one["state"]:
                    one["state"]["waiting"]["reason"] = "ErrImagePull"
        objects["warnings"] = []

    status = service_state(observed("no_image", change))
    assert status.state == "Transitioning"
    assert status.error is not None
    assert "cannot be pulled" in status.error


def test_a_container_that_ran_out_of_memory_is_said_with_its_limit() -> None:
    status = service_state(observed("out_of_memory"))
    assert status.state == "Unhealthy"
    assert status.error is not None
    assert status.error.endswith("ran out of memory (limit 32212255) and was killed.")


def test_a_container_that_ends_again_and_again_is_failed() -> None:
    def change(objects: dict[str, Any]) -> None:
        container(objects)["restartCount"] = 3

    status = service_state(observed("out_of_memory", change))
    assert status.state == "Failed"
    assert status.error is not None
    assert status.error.endswith("was killed, 3 times so far.")


def test_an_unexpected_end_is_said_with_its_exit_code() -> None:
    def change(objects: dict[str, Any]) -> None:
        now = container(objects)
        ended = now["state"].get("terminated") or now["lastState"]["terminated"]
        ended.update(reason="Error", exitCode=139)

    status = service_state(observed("out_of_memory", change))
    assert status.state == "Unhealthy"
    assert status.error is not None
    assert status.error.endswith("ended with exit code 139.")


def test_a_missing_secret_is_waited_for_and_named() -> None:
    status = service_state(observed("no_secret"))
    assert status.state == "Transitioning"
    assert status.error is not None
    assert status.error.endswith('secret "nobody-made-it" not found')


def test_a_secret_that_is_missing_for_a_minute_is_a_failure() -> None:
    assert service_state(observed("no_secret", later=60)).state == "Failed"


def _without_a_key(objects: dict[str, Any]) -> None:
    for event in objects["warnings"]:
        event["message"] = 'SetUp failed for volume "keys": references non-existent secret key: primaryKey'


def test_a_key_that_is_being_made_is_no_fault_at_first() -> None:
    assert service_state(observed("no_secret", _without_a_key)) == ServiceState("Transitioning")


def test_a_key_that_is_never_made_is_a_failure() -> None:
    status = service_state(observed("no_secret", _without_a_key, later=60))
    assert status.state == "Failed"
    assert status.error is not None
    assert status.error.endswith("references non-existent secret key: primaryKey")


def test_pods_that_a_quota_forbids_are_a_failure_in_kubernetes_words() -> None:
    status = service_state(observed("quota"))
    assert status.state == "Failed"
    assert status.error is not None
    assert "forbidden: exceeded quota: none" in status.error


def test_a_replica_that_stops_answering_is_unhealthy_with_what_the_probe_saw() -> None:
    status = service_state(observed("stuck"))
    assert status.state == "Unhealthy"
    assert status.error is not None
    assert "is not ready: Readiness probe failed" in status.error


def test_a_replica_that_takes_the_place_of_another_is_only_starting() -> None:
    def change(objects: dict[str, Any]) -> None:
        container(objects)["started"] = False

    assert service_state(observed("stuck", change)) == ServiceState("Transitioning")


def test_a_rollout_that_does_not_end_in_time_is_failed_with_what_holds_it_up() -> None:
    status = service_state(observed("no_secret", _overdue))
    assert status.state == "Failed"
    assert status.error is not None
    assert status.error.startswith("The rollout makes no progress: ")
    assert 'secret "nobody-made-it" not found' in status.error


def test_a_failed_job_for_the_keys_is_named() -> None:
    def change(objects: dict[str, Any]) -> None:
        message = "Job has reached the specified backoff limit"
        condition = {"type": "Failed", "status": "True", "message": message}
        objects["jobs"][0]["status"] = {"conditions": [condition]}
        for pod in objects["pods"]:
            pod["status"] = {"phase": "Pending"}
        objects["warnings"] = []
        objects["deployment"]["status"]["availableReplicas"] = 0

    status = service_state(observed("healthy", change))
    assert status.state == "Failed"
    assert status.error is not None
    assert status.error.startswith("The Job healthy-keys-")
    assert status.error.endswith("failed: Job has reached the specified backoff limit.")


def test_the_fault_of_a_pod_of_the_previous_version_is_not_the_services() -> None:
    def change(objects: dict[str, Any]) -> None:
        container(objects)["started"] = False
        scoring_pod(objects)["metadata"]["labels"]["pod-template-hash"] = "outdated"

    assert service_state(observed("stuck", change)).error is None


def test_what_still_serves_is_told_beside_a_fault() -> None:
    def change(objects: dict[str, Any]) -> None:
        objects["deployment"]["spec"]["replicas"] = 4
        objects["deployment"]["status"]["availableReplicas"] = 3

    status = service_state(observed("no_gpu", change))
    assert status.error is not None
    assert status.error.endswith(" 3 of 4 replicas serve.")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", ""),
        ("one\n\ntwo\n", "one\ntwo"),
        (
            "Traceback (most recent call last):\n  File a\nKeyError: 1\n\n"
            "During handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n  File b\nValueError: 2\nWorker exiting\n",
            "Traceback (most recent call last):\n  File b\nValueError: 2",
        ),
        ("Traceback (most recent call last):\n  File a\n", "Traceback (most recent call last):\n  File a"),
    ],
)
def test_the_last_traceback_of_a_log_is_cut_out(log: str, expected: str) -> None:
    assert last_traceback(log) == expected


def _overdue(objects: dict[str, Any]) -> None:
    for condition in objects["deployment"]["status"]["conditions"]:
        if condition["type"] == "Progressing":
            condition.update(status="False", reason="ProgressDeadlineExceeded", message="timed out")


def with_failing_fetch(ended: dict[str, Any], restarts: int) -> Callable[[dict[str, Any]], None]:
    """The pod waits for an init container that ended like this."""

    def change(objects: dict[str, Any]) -> None:
        status = scoring_pod(objects)["status"]
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        status["initContainerStatuses"] = [
            {
                "name": "fetch-model-0",
                "image": "x",
                "ready": False,
                "restartCount": restarts,
                "state": waiting,
                "lastState": {"terminated": {"reason": "Error", **ended}},
            }
        ]
        status["containerStatuses"][0].update(
            {"ready": False, "state": {"waiting": {"reason": "PodInitializing"}}, "lastState": {}}
        )

    return change


def test_a_model_that_cannot_be_fetched_is_a_failure_with_the_last_line_of_the_log() -> None:
    ended = {"exitCode": 3, "message": "Fetching Model net\nModel net was not fetched. It is another file.\n"}
    status = service_state(observed("init_raises", with_failing_fetch(ended, 1)))
    assert status.state == "Failed"
    assert "The init container fetch-model-0 of pod " in str(status.error)
    assert str(status.error).endswith(
        "ended with exit code 3. Model net was not fetched. It is another file."
    )


@pytest.mark.parametrize(("restarts", "state"), [(1, "Unhealthy"), (3, "Failed")])
def test_an_init_container_may_fail_a_few_times(restarts: int, state: str) -> None:
    status = service_state(observed("init_raises", with_failing_fetch({"exitCode": 1}, restarts)))
    assert status.state == state
    assert "ended with exit code 1" in str(status.error)


def test_a_volume_that_failed_at_first_is_forgotten_while_an_init_container_runs() -> None:
    def change(objects: dict[str, Any]) -> None:
        scoring_pod(objects)["status"]["initContainerStatuses"] = [
            {"name": "fetch-model-0", "ready": False, "restartCount": 0, "state": {"running": {}}}
        ]

    assert service_state(observed("no_secret", later=90)).state == "Failed"
    assert service_state(observed("no_secret", change, later=90)).state == "Transitioning"
