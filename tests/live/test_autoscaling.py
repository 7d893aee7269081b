"""The number of pods follows the load, by a real KEDA; to turn that on, and what comes after, loses no pod.

The embedded cluster's autoscalers look every 2 s, and the services here go down after a few seconds,
not after a minute: the rest is as anywhere.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from kubernetes import client, watch
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import delete_together
from tests.live.kubernetes_objects import api_client, pods_of, read_deployment
from tests.live.load import Load
from tests.live.test_releases import HELMS
from urllib3.exceptions import HTTPError

from gpu_inference.cluster import Cluster, open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference.service import Service
from gpu_inference_testing import keda

PATIENCE_SECONDS = 150.0
# Two slots in each pod, to be busy a quarter of the time: many clients want more pods than there are GPUs.
BUSY = {
    "deployment": {
        "autoscale_enabled": True,
        "autoscale_target_utilization": 25,
        "replica_max_concurrent_requests": 2,
        "max_request_wait_time": 60_000,
    },
    "cluster": {"gpu_count": 4},
    "autoscaling": {"scaleDownStabilizationSeconds": 5},
    "drain": {"preStopSleepSeconds": 2, "seconds": 2},
}
HEAVY: dict[str, Any] = {"body": '{"seconds": 0.2}', "keep_alive": 4, "one_shot": 8, "pause_seconds": 0}
LIGHT: dict[str, Any] = {"body": '{"seconds": 0.01}', "keep_alive": 2, "one_shot": 2, "pause_seconds": 1}
# On CPU, where the built-in script echoes: what counts is how many pods there are.
IDLE = {"deployment": {"gpu_cores": 0}, **NO_DRAIN}
FIXED = {**IDLE, "deployment": {"gpu_cores": 0, "num_replicas": 3}}


def autoscaled(fewest: int, engine: Mapping[str, Any], **deployment: Any) -> dict[str, Any]:
    """Return the values of an idle service whose autoscaler never takes a pod away while a test looks."""
    parameters = {"gpu_cores": 0, "autoscale_enabled": True, "autoscale_min_replicas": fewest}
    return {
        **IDLE,
        "deployment": {**parameters, **deployment},
        "autoscaling": {"scaleDownStabilizationSeconds": 3600, **engine},
    }


KEDA: dict[str, Any] = {"engine": "keda"}
# Its metric never comes: such an autoscaler still keeps to its limits.
NO_METRIC: dict[str, Any] = {"engine": "hpa", "externalMetric": {"name": "never-comes"}}


@pytest.fixture(scope="module")
def refusal(kubeconfig: Path) -> str | None:
    """What is said about a cluster of the user's own without KEDA; None where there is a KEDA already."""
    try:
        keda.install(open_cluster("kubeconfig", kubeconfig=kubeconfig))
    except GpuInferenceError as error:
        return str(error)
    return None


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(scope="module", autouse=True)
def _keda(cluster: Cluster, refusal: str | None) -> None:  # noqa: ARG001 (it has to come first)
    keda.install(cluster, Progress())


Install = Callable[..., Service]


@pytest.fixture
def install(namespace: str, kubeconfig: Path, chart: Path) -> Iterator[Install]:
    """Installs a service, or upgrades it, with these values; they are deleted in the end."""
    services: dict[str, Service] = {}

    def upgrade(name: str, values: Mapping[str, Any], helm: Path | None = None) -> Service:
        Helm(helm, kubeconfig=kubeconfig).upgrade(name, chart, values, namespace=namespace)
        services.setdefault(name, Service(name, namespace=namespace, kubeconfig=kubeconfig))
        return services[name]

    yield upgrade
    delete_together(list(services.values()))


class Replicas:
    """Every number of pods that a Deployment is asked for while the block runs, in order."""

    def __init__(self, service: Service) -> None:
        self.seen: list[int] = []
        self._service = service
        self._versions: set[str] = set()
        self._watch = watch.Watch()
        self._ended = False
        self._began = read_deployment(service).metadata.resource_version
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Replicas":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        last = read_deployment(self._service).metadata.resource_version
        if last != self._began:
            wait_until(lambda: last in self._versions, "the watch has seen the last change")
        self._ended = True
        self._watch.stop()

    def _look(self) -> None:
        apps = client.AppsV1Api(api_client(self._service))
        events = self._watch.stream(
            apps.list_namespaced_deployment,
            self._service.namespace,
            field_selector=f"metadata.name={self._service.name}",
            resource_version=self._began,
        )
        try:
            for event in events:
                self.seen.append(event["object"].spec.replicas)
                self._versions.add(event["object"].metadata.resource_version)
        except HTTPError:
            # A stopped watch goes on until something comes, or until the cluster is removed.
            if not self._ended:
                raise


def wait_until(fulfilled: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fulfilled():
        assert time.monotonic() < deadline, f"Not in {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.5)


def replicas(service: Service) -> int:
    return int(read_deployment(service).spec.replicas)


def ready(service: Service) -> int:
    return int(read_deployment(service).status.ready_replicas or 0)


def autoscaler(service: Service) -> Any:
    """Return the HorizontalPodAutoscaler of a service, ours or KEDA's; None while there is none."""
    api = client.AutoscalingV2Api(api_client(service))
    for found in api.list_namespaced_horizontal_pod_autoscaler(service.namespace).items:
        if found.spec.scale_target_ref.name == service.name:
            return found
    return None


def condition(service: Service, kind: str) -> str | None:
    """Return the reason of a condition of a service's autoscaler."""
    found = autoscaler(service)
    conditions = (found.status.conditions or []) if found else []
    return next((str(one.reason) for one in conditions if one.type == kind), None)


def test_keda_is_not_installed_into_a_cluster_of_the_users_own(refusal: str | None, kubeconfig: Path) -> None:
    assert refusal is not None, "The cluster had KEDA before the tests: `make down` removes it."
    assert "helm install keda keda --repo" in refusal
    # There now, it is used.
    keda.install(open_cluster("kubeconfig", kubeconfig=kubeconfig))


def test_pods_come_with_the_load_up_to_the_cap_and_go_with_it_and_no_request_fails(
    install: Install, working_image: dict[str, str]
) -> None:
    busy = install("busy", {**BUSY, "image": working_image})
    busy.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    # KEDA makes the autoscaler, and then the metric that the second service's autoscaler looks at as well.
    wait_until(lambda: autoscaler(busy), "KEDA has made an autoscaler")
    (metric,) = autoscaler(busy).spec.metrics
    external = {
        "name": metric.external.metric.name,
        "selector": metric.external.metric.selector.match_labels,
    }
    following = install(
        "following",
        {
            **IDLE,
            "deployment": {"gpu_cores": 0, "autoscale_enabled": True, "autoscale_max_replicas": 3},
            "autoscaling": {
                "engine": "hpa",
                "externalMetric": external,
                "scaleDownStabilizationSeconds": 5,
            },
        },
    )
    with Replicas(busy) as asked_for, Replicas(following) as followed:
        with Load.on(busy, **HEAVY) as heavy:
            wait_until(lambda: ready(busy) == 4, "a pod on each of the 4 GPUs")
            wait_until(lambda: condition(busy, "ScalingLimited") == "TooManyReplicas", "more are wanted")
            wait_until(lambda: ready(following) == 3, "as many pods as the other service may have")
        with Load.on(busy, **LIGHT) as light:
            wait_until(lambda: replicas(busy) == 1, "one pod is enough again")
            wait_until(lambda: len(pods_of(busy)) == 1, "the others have gone")
            wait_until(lambda: replicas(following) == 1, "one pod is enough for the other service")
    heavy.assert_no_failures()
    light.assert_no_failures()
    assert max(asked_for.seen) == 4
    assert max(followed.seen) == 3


@pytest.mark.parametrize(("before", "after"), [("helm3", "helm3"), ("helm4", "helm4"), ("helm3", "helm4")])
def test_an_autoscaler_over_a_running_service_never_lowers_its_pods(
    install: Install, before: str, after: str
) -> None:
    echo = install("echo", FIXED, HELMS[before]())
    echo.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    helm = HELMS[after]()
    at_first = {pod.metadata.name for pod in pods_of(echo)}
    with Replicas(echo) as asked_for:
        install("echo", autoscaled(1, KEDA), helm)
        wait_until(lambda: condition(echo, "AbleToScale"), "KEDA's autoscaler works")
        assert replicas(echo) == 3
        # The autoscaler sets the number from now on, and the number becomes its own.
        install("echo", autoscaled(4, KEDA), helm)
        wait_until(lambda: replicas(echo) == 4, "the autoscaler's minimum")
        install("echo", autoscaled(4, KEDA, tags={"another": "tag"}), helm)
        install("echo", autoscaled(4, KEDA, tags={"yet another": "tag"}), helm)
    assert asked_for.seen == sorted(asked_for.seen), "never fewer"
    assert set(asked_for.seen) == {3, 4}
    assert at_first < {pod.metadata.name for pod in pods_of(echo)}
    # Turned off, the values' number counts again, whoever changed it since.
    fixed_at_two = {**IDLE, "deployment": {"gpu_cores": 0, "num_replicas": 2}}
    install("echo", fixed_at_two, helm)
    wait_until(lambda: autoscaler(echo) is None, "the autoscaler is gone")
    # Helm removes the autoscaler last, so that it may have had the last word; then the same upgrade has it.
    if replicas(echo) != 2:
        install("echo", fixed_at_two, helm)
    assert replicas(echo) == 2
    install("echo", FIXED, helm)
    assert replicas(echo) == 3


@pytest.mark.parametrize("major", HELMS)
def test_a_rollback_leaves_the_number_of_pods_to_the_autoscaler(install: Install, major: str) -> None:
    program = HELMS[major]()
    rolled = install("rolled", autoscaled(2, NO_METRIC), program)
    wait_until(lambda: replicas(rolled) == 2, "the autoscaler's minimum")
    with Replicas(rolled) as asked_for:
        install("rolled", autoscaled(2, NO_METRIC, tags={"another": "tag"}), program)
        place = [f"--namespace={rolled.namespace}", f"--kubeconfig={rolled.kubeconfig}"]
        run([program, "rollback", "rolled", "1", *place])
    assert set(asked_for.seen) == {2}
