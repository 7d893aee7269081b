"""No request fails, whatever happens to the pods: each test does it to them while clients go on asking.

The service runs on the four GPUs that are not there, so that rollouts have to live within a pool. Its calls
take 10 ms, of which the load is 30 % of what one replica can do.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.live.kubernetes_objects import api_client, pods_of, read_deployment
from tests.live.load import PATIENCE_SECONDS, load_without_failures

from gpu_inference.cluster import Cluster
from gpu_inference.progress import Progress
from gpu_inference.service import Service, deploy

DRAIN = {"preStopSleepSeconds": 2, "seconds": 3}
LOAD = {"body": '{"seconds": 0.01}', "keep_alive": 4, "one_shot": 2, "pause_seconds": 0.2}


@pytest.fixture(scope="module")
def service(cluster: Cluster, namespace: str) -> Iterator[Service]:
    service = deploy(
        "busy",
        source_directory=Path(__file__).parent / "working",
        entry_script="score.py",
        values={
            # A queued request outlives a drain.
            "deployment": {"num_replicas": 2, "max_request_wait_time": 10_000},
            "cluster": {"gpu_count": 4},
            "drain": DRAIN,
        },
        namespace=namespace,
        cluster=cluster,
        progress=Progress(),
    )
    service.wait_for_deployment(timeout_sec=120)
    yield service
    service.delete()
    service.close()


def test_a_deleted_pod_fails_no_request(service: Service) -> None:
    (pod, *_) = pods_of(service)
    with load_without_failures(service, **LOAD):
        core(service).delete_namespaced_pod(pod.metadata.name, service.namespace)
        wait_until_replaced(service, [pod])


def test_a_request_that_takes_longer_than_the_drain_is_answered_though_its_pod_is_deleted(
    service: Service,
) -> None:
    before = pods_of(service)
    with load_without_failures(service, **LOAD) as load, ThreadPoolExecutor(1) as threads:
        long = threads.submit(ask_for, service, sum(DRAIN.values()) + 3)
        time.sleep(1)
        # Whichever of them works on it.
        for pod in before:
            core(service).delete_namespaced_pod(pod.metadata.name, service.namespace)
            wait_until_replaced(service, [pod])
            load.wait_for_an_answer_to_each()
        assert long.result(PATIENCE_SECONDS).status_code == 200


def test_pods_evicted_one_after_another_as_a_node_drain_does_fail_no_request(service: Service) -> None:
    before = pods_of(service)
    with load_without_failures(service, **LOAD):
        for pod in before:
            evict(service, pod)
        wait_until_replaced(service, before)


def test_a_restart_fails_no_request(service: Service) -> None:
    before = pods_of(service)
    with load_without_failures(service, **LOAD):
        restarted = {"spec": {"template": {"metadata": {"annotations": {"restarted": str(time.time())}}}}}
        client.AppsV1Api(api_client(service)).patch_namespaced_deployment(
            service.name, service.namespace, restarted
        )
        wait_until_replaced(service, before)


def test_scaling_up_and_down_fails_no_request(service: Service) -> None:
    with load_without_failures(service, **LOAD):
        for replicas in (4, 2):
            service.update({"deployment": {"num_replicas": replicas}})
            wait_until_replaced(service, [], replicas)


def test_an_upgrade_on_a_full_pool_fails_no_request(service: Service) -> None:
    service.update({"deployment": {"num_replicas": 4}})
    service.wait_for_deployment(timeout_sec=120)
    before = pods_of(service)
    assert len(before) == 4
    assert read_deployment(service).spec.strategy.rolling_update.max_surge == 0
    with load_without_failures(service, **LOAD):
        service.update({"podAnnotations": {"changed": "yes"}})
        wait_until_replaced(service, before, 4)


def core(service: Service) -> Any:
    return client.CoreV1Api(api_client(service))


def ask_for(service: Service, seconds: float) -> requests.Response:
    """Send one request that is worked on for so long."""
    headers = {"Authorization": f"Bearer {service.get_keys()[0]}"}
    return requests.post(
        service.scoring_uri, f'{{"seconds": {seconds}}}', headers=headers, timeout=PATIENCE_SECONDS
    )


def evict(service: Service, pod: Any) -> None:
    """Evict a pod as `kubectl drain` does: again and again until the disruption budget allows it."""
    eviction = client.V1Eviction(
        metadata=client.V1ObjectMeta(name=pod.metadata.name, namespace=service.namespace)
    )

    def evicted() -> bool:
        try:
            core(service).create_namespaced_pod_eviction(pod.metadata.name, service.namespace, eviction)
        except ApiException as error:
            if error.status != 429:
                raise
            return False
        return True

    wait_until(evicted, f"{pod.metadata.name} may be evicted")


def wait_until_replaced(service: Service, before: list[Any], replicas: int = 2) -> None:
    """Wait until these pods are gone, drained and all, and so many others, no more, are ready."""
    selector = f"app.kubernetes.io/instance={service.name},app.kubernetes.io/component=scoring"
    old = {pod.metadata.uid for pod in before}

    def replaced() -> bool:
        pods = core(service).list_namespaced_pod(service.namespace, label_selector=selector).items
        ready = [pod for pod in pods if is_ready(pod)]
        return len(pods) == len(ready) == replicas and old.isdisjoint(pod.metadata.uid for pod in pods)

    wait_until(replaced, f"{replicas} pods are ready and the others gone")


def is_ready(pod: Any) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or [])


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 3 * PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"Never: {what}"
        time.sleep(0.2)
