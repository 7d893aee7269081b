"""No request fails, whatever happens to the pods: each test does it to them while clients go on asking.

The service runs on the four GPUs that are not there, so that rollouts have to live within a pool. Its calls
take 10 ms, and the load is 30 % of what one replica can do. A pod takes longer to start than another does to
leave: whoever takes away too many at a time has none left.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import delete_together
from tests.live.kubernetes_objects import (
    api_client,
    left_of_release,
    pods_of,
    read_deployment,
    service_as_a_limited_user,
)
from tests.live.load import PATIENCE_SECONDS, load_without_failures

from gpu_inference.helm import Helm
from gpu_inference.service import Service
from gpu_inference.service.objects import Objects

DRAIN = {"preStopSleepSeconds": 2, "seconds": 2}
LOAD: dict[str, Any] = {
    "body": '{"seconds": 0.01}',
    "keep_alive": 4,
    "one_shot": 2,
    "pause_seconds": 0.2,
}
SLOW_START = [{"name": "INIT_SECONDS", "value": "4"}]
NO_START = [{"name": "INIT_SECONDS", "value": "1000"}]

Install = Callable[[str, Mapping[str, Any]], Service]


@pytest.fixture(scope="module")
def install(
    kubeconfig: Path, namespace: str, chart: Path, working_image: dict[str, str]
) -> Iterator[Install]:
    """Installs a service, or upgrades it, with these values; they are deleted in the end."""
    services = {}

    def install(name: str, values: Mapping[str, Any]) -> Service:
        own = {"image": working_image, "drain": DRAIN}
        Helm(kubeconfig=kubeconfig).upgrade(name, chart, {**own, **values}, namespace=namespace)
        services[name] = Service(name, namespace=namespace, kubeconfig=kubeconfig)
        return services[name]

    yield install
    delete_together(list(services.values()))


class Busy:
    """The service under load: some replicas on a pool of four GPUs."""

    def __init__(self, install: Install) -> None:
        self._install = install
        self._values: dict[str, Any] = {"cluster": {"gpu_count": 4}, "extraEnv": SLOW_START}
        self.service = self.upgrade(2)
        self.service.wait_for_deployment(timeout_sec=120)

    def upgrade(self, replicas: int, **values: Any) -> Service:
        """Change these values for good."""
        # A queued request outlives a drain.
        deployment = {"num_replicas": replicas, "max_request_wait_time": 10_000}
        self._values |= {"deployment": deployment, **values}
        return self._install("busy", self._values)


@pytest.fixture(scope="module")
def busy(install: Install) -> Busy:
    return Busy(install)


@pytest.fixture
def service(busy: Busy) -> Service:
    return busy.service


def test_a_deleted_pod_fails_no_request(service: Service) -> None:
    (pod, *_) = pods_of(service)
    with load_without_failures(service, **LOAD):
        delete(service, pod)
        wait_until_replaced(service, [pod])


def test_a_request_that_outlasts_the_drain_is_answered_by_the_pod_that_leaves(service: Service) -> None:
    before = pods_of(service)
    with load_without_failures(service, **LOAD) as load, ThreadPoolExecutor(1) as threads:
        long = threads.submit(ask_for, service, sum(DRAIN.values()) + 3)
        time.sleep(1)
        # One of them works on it.
        for pod in before:
            delete(service, pod)
            load.wait_for_an_answer_to_each()
            wait_until_replaced(service, [pod])
        assert long.result(PATIENCE_SECONDS).status_code == 200


def test_pods_evicted_one_after_another_as_a_node_drain_does_it_fail_no_request(service: Service) -> None:
    before = pods_of(service)
    with load_without_failures(service, **LOAD):
        for pod in before:
            wait_until(partial(evicted, service, pod), f"{pod.metadata.name} may be evicted")
        wait_until_replaced(service, before)


def test_a_restart_fails_no_request(service: Service) -> None:
    before = pods_of(service)
    with load_without_failures(service, **LOAD):
        # What `kubectl rollout restart` does.
        annotations = {"kubectl.kubernetes.io/restartedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
        restarted = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        apps = client.AppsV1Api(api_client(service))
        apps.patch_namespaced_deployment(service.name, service.namespace, restarted)
        wait_until_replaced(service, before)


def test_scaling_up_and_down_fails_no_request(busy: Busy, service: Service) -> None:
    with load_without_failures(service, **LOAD):
        for replicas in (4, 2):
            busy.upgrade(replicas)
            wait_until_replaced(service, [])


def test_an_upgrade_on_a_full_pool_fails_no_request(busy: Busy, service: Service) -> None:
    before = fill_the_pool(busy)
    assert read_deployment(service).spec.strategy.rolling_update.max_surge == 0
    with load_without_failures(service, **LOAD):
        busy.upgrade(4, podAnnotations={"changed": "yes"})
        service.wait_for_deployment(timeout_sec=300)
        wait_until_replaced(service, before)


def test_an_upgrade_that_never_gets_ready_takes_one_pod_of_a_full_pool_and_no_request(
    busy: Busy, service: Service
) -> None:
    before = fill_the_pool(busy)
    with load_without_failures(service, **LOAD) as load:
        busy.upgrade(4, extraEnv=NO_START)
        wait_until(lambda: len(pods_of(service)) == 4 and new_pods(service, before) != [], "a new pod")
        wait_until(lambda: len(all_pods(service)) == 4, "the old one is gone")
        (stuck,) = new_pods(service, before)
        wait_until(partial(has_started, service, stuck), "it runs")
        load.wait_for_an_answer_to_each()
        # A node's drain may take the pod that is not ready, and has to leave the others.
        assert not evicted(service, next(pod for pod in pods_of(service) if is_ready(pod)))
        assert evicted(service, stuck)
        busy.upgrade(4, extraEnv=SLOW_START)
        wait_until_replaced(service, [stuck])


def test_the_only_pod_of_a_service_may_be_evicted_at_once(install: Install) -> None:
    single = install("single", {"deployment": {"gpu_cores": 0}})
    single.wait_for_deployment(timeout_sec=120)
    (pod,) = pods_of(single)
    assert evicted(single, pod)
    wait_until_replaced(single, [pod])


def test_with_room_for_one_more_pod_an_upgrade_that_never_gets_ready_takes_none(install: Install) -> None:
    single = install("single", {"deployment": {"gpu_cores": 0}})
    single.wait_for_deployment(timeout_sec=120)
    (pod,) = pods_of(single)
    with load_without_failures(single, **LOAD) as load:
        install("single", {"deployment": {"gpu_cores": 0}, "extraEnv": NO_START})
        wait_until(lambda: new_pods(single, [pod]) != [], "a new pod")
        (stuck,) = new_pods(single, [pod])
        wait_until(partial(has_started, single, stuck), "it runs")
        load.wait_for_an_answer_to_each()
        assert pod.metadata.uid in {each.metadata.uid for each in pods_of(single)}


def test_a_deleted_service_answers_what_it_is_scoring_and_does_not_drain(install: Install) -> None:
    deleted = install("deleted", {"deployment": {"gpu_cores": 0}, "drain": {}})
    deleted.wait_for_deployment(timeout_sec=120)
    drain = seconds_of_drain(deleted)
    with ThreadPoolExecutor(1) as threads:
        scored = threads.submit(ask_for, deleted, 2)
        time.sleep(0.5)
        began = time.monotonic()
        assert deleted.delete()
        took = time.monotonic() - began
    assert scored.result().status_code == 200
    assert took < drain, f"it took {took:.1f} s"


def test_who_may_not_delete_collections_deletes_a_service_too(install: Install, tmp_path: Path) -> None:
    service = install("deleted", {"deployment": {"gpu_cores": 0}, **NO_DRAIN})
    service.wait_for_deployment(timeout_sec=120)
    verbs = ["get", "list", "create", "update", "patch", "delete"]
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": verbs},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["deletecollection"]},
    ]
    limited = service_as_a_limited_user(service, "no-collections", rules, tmp_path)
    assert limited.delete()
    assert left_of_release(service) == []


def test_a_deletion_that_was_interrupted_is_completed_by_the_next(install: Install) -> None:
    service = install("deleted", {"deployment": {"gpu_cores": 0}, **NO_DRAIN})
    service.wait_for_deployment(timeout_sec=120)
    objects = Objects(service.kubeconfig, None, service.namespace)
    objects.orphan("Deployment", service.name)
    wait_until(lambda: objects.deployment(service.name) is None, "the Deployment is gone")
    assert service.delete()
    assert left_of_release(service) == []


def seconds_of_drain(service: Service) -> float:
    """Return how long an idle pod of a service drains by itself."""
    container = read_deployment(service).spec.template.spec.containers[0]
    (drain,) = (float(each.value) for each in container.env if each.name == "GPU_INFERENCE_DRAIN_SECONDS")
    return drain + float(container.lifecycle.pre_stop.sleep.seconds)


def core(service: Service) -> Any:
    return client.CoreV1Api(api_client(service))


def delete(service: Service, pod: Any) -> None:
    core(service).delete_namespaced_pod(pod.metadata.name, service.namespace)


def evicted(service: Service, pod: Any) -> bool:
    """Evict a pod, as `kubectl drain` does, unless the disruption budget says to try again later."""
    name = client.V1ObjectMeta(name=pod.metadata.name, namespace=service.namespace)
    try:
        core(service).create_namespaced_pod_eviction(
            pod.metadata.name, service.namespace, client.V1Eviction(metadata=name)
        )
    except ApiException as error:
        if error.status != 429:
            raise
        return False
    return True


def ask_for(service: Service, seconds: float) -> requests.Response:
    """Send one request that is worked on for so long."""
    headers = {"Authorization": f"Bearer {service.get_keys()[0]}"}
    return requests.post(
        service.scoring_uri, f'{{"seconds": {seconds}}}', headers=headers, timeout=PATIENCE_SECONDS
    )


def fill_the_pool(busy: Busy) -> list[Any]:
    busy.upgrade(4)
    wait_until_replaced(busy.service, [])
    return pods_of(busy.service)


def all_pods(service: Service) -> list[Any]:
    """Return the scoring pods, those on their way out as well."""
    selector = f"app.kubernetes.io/instance={service.name},app.kubernetes.io/component=scoring"
    found: list[Any] = core(service).list_namespaced_pod(service.namespace, label_selector=selector).items
    return found


def new_pods(service: Service, before: list[Any]) -> list[Any]:
    old = {pod.metadata.uid for pod in before}
    return [pod for pod in pods_of(service) if pod.metadata.uid not in old]


def has_started(service: Service, pod: Any) -> bool:
    now = core(service).read_namespaced_pod(pod.metadata.name, service.namespace)
    return any(each.state.running for each in now.status.container_statuses or [])


def is_ready(pod: Any) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or [])


def wait_until_replaced(service: Service, before: list[Any]) -> None:
    """Wait until these pods are gone, drained and all, and as many as there should be are ready."""
    old = {pod.metadata.uid for pod in before}

    def replaced() -> bool:
        deployment = read_deployment(service)
        pods = all_pods(service)
        return (
            deployment.status.observed_generation == deployment.metadata.generation
            and deployment.status.updated_replicas == deployment.spec.replicas == len(pods)
            and all(map(is_ready, pods))
            and old.isdisjoint(pod.metadata.uid for pod in pods)
        )

    wait_until(replaced, f"{service.name} has all its pods and no other")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 3 * PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"Never: {what}"
        time.sleep(0.2)
