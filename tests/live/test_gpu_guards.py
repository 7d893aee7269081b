"""What guards the GPUs in a real cluster, whoever asks for pods there: quota, policy, nodes, rollouts.

Only the rollouts need pods that run. The others get an image that is not there, which costs nothing.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import delete_together
from tests.live.kubernetes_objects import api_client, left_of_release, pods_of, read_deployment

from gpu_inference import clients
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference.service import Service, deploy
from gpu_inference_testing.gpus import DEFAULT_PRODUCT

PATIENCE_SECONDS = 120.0
NOT_STARTED = {
    "image": {"repository": "not-here", "tag": "1", "pullPolicy": "Never"},
    "networkPolicy": {"enabled": False},
}
DRIVER = "gpu.example.com"
SIZE_OF_SHARED_MEMORY = (
    "/opt/gpu-inference/bin/python",
    "-c",
    "import os; shm = os.statvfs('/dev/shm'); print(shm.f_blocks * shm.f_frsize)",
)
SCENARIOS = Path(__file__).parent / "scenarios"

Kubectl = Callable[..., str]
Install = Callable[..., Service]


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(scope="module")
def kubectl(kubeconfig: Path, namespace: str) -> Kubectl:
    """Runs kubectl in the namespace, as the cluster's administrator."""

    def call(*words: str, stdin: str | None = None) -> str:
        program = clients.kubectl(Progress())
        return run([program, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *words], stdin=stdin)

    return call


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, kubeconfig: Path) -> Helm:
    return Helm(clients.helm(request.param, Progress()), kubeconfig=kubeconfig)


@pytest.fixture
def install(kubeconfig: Path, namespace: str, chart: Path) -> Iterator[Install]:
    """Installs a service, or upgrades it; all are deleted after the test."""
    yield from installer(kubeconfig, namespace, chart)


def installer(kubeconfig: Path, namespace: str, chart: Path) -> Iterator[Install]:
    services: dict[str, Service] = {}

    def upgrade(
        name: str, values: Mapping[str, Any], helm: Helm | None = None, starts: bool = False
    ) -> Service:
        services.setdefault(name, Service(name, namespace=namespace, kubeconfig=kubeconfig))
        given = {**NO_DRAIN, **({} if starts else NOT_STARTED), **values}
        if not starts:
            # No keys either: a Job would have to make them.
            given["deployment"] = {"auth_enabled": False, **given.get("deployment", {})}
        (helm or Helm(kubeconfig=kubeconfig)).upgrade(name, chart, given, namespace=namespace)
        return services[name]

    yield upgrade
    delete_together(list(services.values()))


@pytest.fixture(scope="module")
def install_for_all(kubeconfig: Path, namespace: str, chart: Path) -> Iterator[Install]:
    """The same for what several tests use."""
    yield from installer(kubeconfig, namespace, chart)


def pool(gpus: int, pods: int, **cluster: Any) -> dict[str, Any]:
    return {"deployment": {"num_replicas": pods}, "cluster": {"gpu_count": gpus, **cluster}}


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not after {PATIENCE_SECONDS:.0f} s: {what}"
        time.sleep(0.3)


def replicas(service: Service) -> int:
    return int(read_deployment(service).spec.replicas)


def events(service: Service) -> list[str]:
    """Return reason and message of all events of the service's namespace."""
    core = client.CoreV1Api(api_client(service))
    return [
        f"{event.reason}: {event.message}" for event in core.list_namespaced_event(service.namespace).items
    ]


def quotas(service: Service) -> dict[str, Any]:
    listed = client.CoreV1Api(api_client(service)).list_namespaced_resource_quota(service.namespace).items
    return {quota.metadata.name: quota for quota in listed}


# Rollouts: first, while no other service has any of the GPUs.


def test_a_full_pool_is_replaced_by_the_charts_strategy_and_hangs_with_a_surge_pod(
    install: Install, kubectl: Kubectl
) -> None:
    values = {
        "deployment": {"num_replicas": 2, "gpu_cores": 2, "auth_enabled": False},
        "cluster": {"gpu_count": 4},
        "sharedMemory": {"sizeGb": 0.125},
    }
    service = install("full", values, starts=True)
    service.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    shared = kubectl("exec", "deployment/full", "--", *SIZE_OF_SHARED_MEMORY)
    assert int(shared) == 2**27
    before = {pod.metadata.uid for pod in pods_of(service)}
    apps = client.AppsV1Api(api_client(service))
    strategy = read_deployment(service).spec.strategy
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    changed = {"metadata": {"annotations": {"changed": "yes"}}}
    apps.patch_namespaced_deployment(
        service.name, service.namespace, {"spec": {"strategy": surge, "template": changed}}
    )

    def pending() -> list[Any]:
        return [pod for pod in pods_of(service) if pod.status.phase == "Pending" and pod.status.conditions]

    wait_until(pending, "the surge pod waits")
    wait_until(lambda: service.state == "Unschedulable", "the service says that it waits")
    # It goes on to wait: nothing would ever free a GPU.
    for _ in range(5):
        (waiting,) = pending()
        assert "Insufficient nvidia.com/gpu" in waiting.status.conditions[0].message
        assert before < {pod.metadata.uid for pod in pods_of(service)}
        time.sleep(1)

    # The same rollout, the moment its strategy is the chart's again, ends.
    back = {
        "maxSurge": strategy.rolling_update.max_surge,
        "maxUnavailable": strategy.rolling_update.max_unavailable,
    }
    apps.patch_namespaced_deployment(
        service.name, service.namespace, {"spec": {"strategy": {"rollingUpdate": back}}}
    )
    service.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    after = pods_of(service)
    assert len(after) == 2
    assert before.isdisjoint(pod.metadata.uid for pod in after)


# Places.


@pytest.fixture
def tainted_node(kubectl: Kubectl) -> Iterator[None]:
    """The node keeps pods away that do not tolerate GPU nodes, and offers slices of a GPU as well."""
    (node,) = kubectl("get", "nodes", "--output=name").split()
    slices = {kind: {"nvidia.com/mig-1g.5gb": "2"} for kind in ("capacity", "allocatable")}
    kubectl("patch", node, "--subresource=status", "--patch", json.dumps({"status": slices}))
    kubectl("taint", *node.split("/"), "nvidia.com/gpu=present:NoSchedule")
    yield
    kubectl("taint", *node.split("/"), "nvidia.com/gpu-")
    none = {kind: {"nvidia.com/mig-1g.5gb": None} for kind in ("capacity", "allocatable")}
    kubectl("patch", node, "--subresource=status", "--patch", json.dumps({"status": none}))


@pytest.mark.usefixtures("tainted_node")
def test_pods_go_to_nodes_with_their_kind_of_gpu_and_to_no_other(install: Install) -> None:
    mig = "nvidia.com/mig-1g.5gb"
    services = {
        "placed": install("placed", pool(2, 2, gpu_products=["H100", DEFAULT_PRODUCT])),
        "slices": install("slices", pool(2, 2, gpu_resource=mig)),
        "intolerant": install("intolerant", pool(1, 1, gpu_toleration=False)),
        "choosy": install("choosy", pool(1, 1, gpu_products=["H100"])),
        "foreign": install("foreign", pool(1, 1, gpu_resource="amd.com/gpu", gpu_toleration=False)),
    }

    def places(name: str) -> list[str]:
        """Return where the pods of a service are, or why they are nowhere."""
        return [
            "a node" if condition.status == "True" else condition.message
            for pod in pods_of(services[name])
            for condition in pod.status.conditions or []
            if condition.type == "PodScheduled"
        ]

    wait_until(lambda: all(places(name) for name in services), "the scheduler has seen all pods")
    wait_until(lambda: places("placed") == places("slices") == ["a node", "a node"], "GPUs are found")
    assert "untolerated taint" in places("intolerant")[0]
    assert "didn't match Pod's node affinity" in places("choosy")[0]
    assert "a node" not in places("foreign")


# The quota.


def test_two_services_of_a_namespace_share_one_quota(install: Install) -> None:
    first = install("first", pool(2, 2, quota={"gpus": 3}))
    wait_until(lambda: len(pods_of(first)) == 2, "the first service has its pods")
    second = install("second", pool(2, 2))

    def used() -> str:
        (quota,) = quotas(first).values()
        return str((quota.status.used or {}).get("requests.nvidia.com/gpu"))

    wait_until(lambda: any("exceeded quota" in event for event in events(second)), "a pod is refused")
    assert (len(pods_of(first)), len(pods_of(second))) == (2, 1)
    wait_until(lambda: used() == "3", "the quota counts both services' GPUs")

    install("first", pool(2, 2, quota={"gpus": 4}))
    wait_until(lambda: len(pods_of(second)) == 2, "the second service has its pods in the larger quota")
    assert used() == "4"


def test_a_quota_belongs_to_one_release_until_that_is_gone(install: Install, helm: Helm) -> None:
    first = install("first", pool(1, 1, quota={"gpus": 3}), helm)
    refused = r"gpu-inference-nvidia\.com-gpu already, made by release first: set its GPUs there"
    with pytest.raises(GpuInferenceError, match=refused):
        install("second", pool(1, 1, quota={"gpus": 2}), helm)
    # Nor may one that was installed without it take it over.
    second = install("second", pool(1, 1), helm)
    with pytest.raises(GpuInferenceError, match=refused):
        install("second", pool(1, 1, quota={"gpus": 2}), helm)

    install("first", pool(1, 1, quota={"gpus": 2}), helm)
    (quota,) = quotas(first).values()
    assert quota.spec.hard == {"requests.nvidia.com/gpu": "2"}

    assert first.delete()
    wait_until(lambda: not quotas(first), "the quota goes with its release")
    install("second", pool(1, 1, quota={"gpus": 2}), helm)
    (quota,) = quotas(second).values()
    assert quota.metadata.annotations["meta.helm.sh/release-name"] == "second"


# The admission policy.


def scaling_is_refused(kubectl: Kubectl, name: str, pods: int) -> bool:
    """Ask to scale a service without doing it; fail if it is refused for another reason."""
    try:
        kubectl("scale", f"deployment/{name}", f"--replicas={pods}", "--dry-run=server")
    except GpuInferenceError as error:
        if f"The GPUs of the service {name} are enough for" not in str(error):
            raise
        return True
    return False


def guarded(gpus: int, pods: int) -> dict[str, Any]:
    return pool(gpus, pods, admission_policy=True)


@pytest.fixture(scope="module")
def guarded_for_all(install_for_all: Install, kubectl: Kubectl) -> Service:
    service = install_for_all("guarded", guarded(4, 2))
    wait_until(lambda: scaling_is_refused(kubectl, "guarded", 5), "the policy is in force")
    return service


@pytest.fixture
def guarded_service(guarded_for_all: Service, kubectl: Kubectl) -> Service:
    """Two pods on four GPUs, and the API server knows the policy."""
    kubectl("scale", "deployment/guarded", "--replicas=2")
    return guarded_for_all


def test_scaling_beyond_the_cap_is_refused_and_within_it_is_not(
    guarded_service: Service, kubectl: Kubectl
) -> None:
    with pytest.raises(GpuInferenceError, match=r"enough for 4 pods \(cluster\.gpu_count 4, .*gpu_cores 1\)"):
        kubectl("scale", "deployment/guarded", "--replicas=5")
    assert replicas(guarded_service) == 2
    for pods in (4, 0, 3):
        kubectl("scale", "deployment/guarded", f"--replicas={pods}")
        assert replicas(guarded_service) == pods


@pytest.mark.parametrize("words", [("patch",), ("patch", "--subresource=scale")])
def test_an_edit_beyond_the_cap_is_refused_to_an_administrator_too(
    guarded_service: Service, kubectl: Kubectl, words: tuple[str, ...]
) -> None:
    with pytest.raises(GpuInferenceError, match="enough for 4 pods"):
        kubectl(*words, "deployment/guarded", "--type=merge", "--patch", '{"spec":{"replicas":5}}')
    assert replicas(guarded_service) == 2


def test_nobody_lifts_the_cap_who_may_not_change_the_policy(
    guarded_service: Service, kubectl: Kubectl
) -> None:
    # What an upgrade of the release says on the Deployment when it raises the cap.
    raised = {"metadata": {"annotations": {"gpu-inference/max-replicas": "9"}}, "spec": {"replicas": 9}}
    patch = ("patch", "deployment/guarded", "--type=merge", "--patch", json.dumps(raised))
    kubectl("create", "serviceaccount", "developer")
    user = f"system:serviceaccount:{guarded_service.namespace}:developer"
    kubectl("create", "rolebinding", "developer", "--clusterrole=admin", f"--user={user}")
    wait_until(
        lambda: kubectl("auth", "can-i", "patch", "deployments", f"--as={user}").strip() == "yes", "a role"
    )
    try:
        with pytest.raises(GpuInferenceError, match="enough for 4 pods"):
            kubectl(*patch, f"--as={user}")
        kubectl(*patch, "--dry-run=server")
    finally:
        kubectl("delete", "serviceaccount/developer", "rolebinding/developer")
    assert replicas(guarded_service) == 2


def test_an_autoscaler_is_kept_at_the_cap(guarded_service: Service, kubectl: Kubectl) -> None:
    # An autoscaler brings a Deployment to its minimum before it reads any metric.
    def autoscaler(fewest: int) -> str:
        return json.dumps(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "somebodys"},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "guarded"},
                    "minReplicas": fewest,
                    "maxReplicas": 20,
                },
            }
        )

    try:
        kubectl("apply", "--filename=-", stdin=autoscaler(4))
        wait_until(lambda: replicas(guarded_service) == 4, "the autoscaler asks for 4")
        kubectl("apply", "--filename=-", stdin=autoscaler(6))
        wait_until(
            lambda: any(
                event.startswith("FailedRescale") and "enough for 4 pods" in event
                for event in events(guarded_service)
            ),
            "the autoscaler is told why it gets no more",
        )
        assert replicas(guarded_service) == 4
    finally:
        kubectl("delete", "horizontalpodautoscaler/somebodys", "--ignore-not-found")


def test_the_policy_knows_no_deployment_but_its_own(guarded_service: Service, install: Install) -> None:
    install("other", pool(9, 9))
    elsewhere = client.AppsV1Api(api_client(guarded_service))
    namespace = f"{guarded_service.namespace}-other"
    core = client.CoreV1Api(api_client(guarded_service))
    core.create_namespace({"metadata": {"name": namespace}})
    try:
        spec = {
            "replicas": 9,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "not-here", "imagePullPolicy": "Never"}]},
            },
        }
        body = {"metadata": {"name": guarded_service.name}, "spec": spec}
        elsewhere.create_namespaced_deployment(namespace, body, dry_run="All")
    finally:
        core.delete_namespace(namespace)


def test_an_upgrade_raises_cap_and_pods_in_one_stroke_and_lowers_them_again(
    install: Install, kubectl: Kubectl, helm: Helm
) -> None:
    service = install("raised", guarded(4, 2), helm)
    wait_until(lambda: scaling_is_refused(kubectl, "raised", 5), "the policy is in force")
    # Helm changes the Deployment first, while the API server still knows the old policy alone.
    install("raised", guarded(8, 7), helm)
    assert replicas(service) == 7
    wait_until(lambda: not scaling_is_refused(kubectl, "raised", 8), "the new policy is in force")
    assert scaling_is_refused(kubectl, "raised", 9)

    install("raised", guarded(4, 3), helm)
    assert replicas(service) == 3
    wait_until(lambda: scaling_is_refused(kubectl, "raised", 5), "the lower cap is in force")

    # Without it too, and on to CPU, where there is no cap.
    install("raised", {"deployment": {"gpu_cores": 0, "num_replicas": 9}}, helm)
    assert replicas(service) == 9
    assert not policies(service)


def test_a_service_over_a_lowered_cap_is_left_alone_until_its_autoscaler_lowers_it(
    install: Install, kubectl: Kubectl
) -> None:
    service = install("raised", guarded(8, 7))
    autoscaled = {
        "deployment": {"autoscale_enabled": True},
        # No metric is needed to come down to the maximum.
        "autoscaling": {"engine": "hpa", "externalMetric": {"name": "busy-slots"}},
        "cluster": {"gpu_count": 4, "admission_policy": True},
    }
    install("raised", autoscaled)
    wait_until(lambda: scaling_is_refused(kubectl, "raised", 8), "the lower cap is in force")
    wait_until(lambda: replicas(service) == 4, "the autoscaler lowers it to the cap")


def test_every_guard_goes_with_its_release(install: Install, kubectl: Kubectl, helm: Helm) -> None:
    service = install("raised", yaml.safe_load((SCENARIOS / "guarded-pool-values.yaml").read_text()), helm)
    assert len(policies(service)) == 2
    wait_until(lambda: scaling_is_refused(kubectl, "raised", 5), "the policy is in force")
    assert service.delete()
    assert not policies(service)
    assert left_of_release(service) == []


def policies(service: Service) -> list[str]:
    """Return the names of a service's admission policies and their bindings."""
    admission = client.AdmissionregistrationV1Api(api_client(service))
    listed = [
        *admission.list_validating_admission_policy().items,
        *admission.list_validating_admission_policy_binding().items,
    ]
    name = f"gpu-inference.{service.namespace}.{service.name}"
    return [thing.metadata.name for thing in listed if thing.metadata.name == name]


# The nodes.


def test_a_release_that_the_nodes_have_no_gpus_for_is_refused(install: Install, helm: Helm) -> None:
    with pytest.raises(GpuInferenceError, match=r"gpu_count is 5, but the nodes of this cluster have 4 of"):
        install("large", pool(5, 2, check_nodes=True), helm)
    with pytest.raises(GpuInferenceError, match=r"with the models H100, L40 have 0 of nvidia\.com/gpu"):
        install("large", pool(4, 2, check_nodes=True, gpu_products=["H100", "L40"]), helm)
    with pytest.raises(GpuInferenceError, match=r"have 0 of amd\.com/gpu"):
        install("large", pool(4, 2, check_nodes=True, gpu_resource="amd.com/gpu"), helm)
    service = install("large", pool(4, 2, check_nodes=True, gpu_products=[DEFAULT_PRODUCT]), helm)
    with pytest.raises(GpuInferenceError, match=r"have 4 of nvidia\.com/gpu"):
        install("large", pool(5, 5, check_nodes=True), helm)
    assert replicas(service) == 2


def test_gpus_of_a_pod_have_to_be_on_one_node(install: Install, kubectl: Kubectl, helm: Helm) -> None:
    values = {"deployment": {"gpu_cores": 3}, "cluster": {"gpu_count": 6, "check_nodes": True}}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "without-kubelet"}}
    kubectl("apply", "--filename=-", stdin=json.dumps(node))
    try:
        for gpus, enough in ((2, False), (3, True)):
            status = {"status": {kind: {"nvidia.com/gpu": gpus} for kind in ("capacity", "allocatable")}}
            kubectl("patch", "node/without-kubelet", "--subresource=status", "--patch", json.dumps(status))
            if enough:
                install("wide", values, helm)
            else:
                with pytest.raises(
                    GpuInferenceError, match=r"(?s)room for 2 pods with 3 .* have room for 1, because"
                ):
                    install("wide", values, helm)
    finally:
        kubectl("delete", "node/without-kubelet")


@pytest.fixture
def developer(kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path) -> Iterator[Path]:
    """The kubeconfig of somebody who may do everything in the namespace and nothing in the cluster."""
    kubectl("create", "serviceaccount", "owner")
    account = f"--serviceaccount={namespace}:owner"
    kubectl("create", "rolebinding", "owner", "--clusterrole=admin", account)
    config = yaml.safe_load(kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": kubectl("create", "token", "owner").strip()}
    path = tmp_path / "developer.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    yield path
    kubectl("delete", "serviceaccount/owner", "rolebinding/owner")


def test_who_may_not_list_nodes_is_stopped_by_helm_and_served_by_deploy(
    developer: Path, chart: Path, namespace: str, helm: Helm, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {**NOT_STARTED, **pool(4, 2, check_nodes=True)}
    own_helm = Helm(helm.program, kubeconfig=developer)
    with pytest.raises(GpuInferenceError, match="nodes is forbidden"):
        own_helm.upgrade("hopeful", chart, values, namespace=namespace)
    service = deploy(
        "hopeful",
        image="not-here:1",
        values={**values, **NO_DRAIN},
        namespace=namespace,
        kubeconfig=developer,
        helm=helm.program,
        overwrite=True,
        progress=Progress(),
    )
    try:
        assert "may not list nodes" in capsys.readouterr().err
        assert replicas(service) == 2
    finally:
        service.delete()
        service.close()


def test_deploy_warns_of_too_few_gpus_and_stops_where_it_is_asked_to_look(
    kubeconfig: Path, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    common: dict[str, Any] = {
        "image": "not-here:1",
        "namespace": namespace,
        "kubeconfig": kubeconfig,
        "progress": Progress(),
    }
    with pytest.raises(
        GpuInferenceError, match=r"gpu_count is 6, but .* have 4 of nvidia\.com/gpu\.\n.*Ask for less"
    ):
        deploy("large", values={**NO_DRAIN, **pool(6, 2, check_nodes=True)}, **common)
    service = deploy("large", values={**NO_DRAIN, **NOT_STARTED, **pool(6, 2)}, **common)
    try:
        assert "! cluster.gpu_count is 6, but the nodes" in capsys.readouterr().err
        assert service.exists()
    finally:
        service.delete()
        service.close()


# A DRA driver's GPUs.


@pytest.fixture
def devices(kubectl: Kubectl) -> Iterator[None]:
    """Four devices of a driver that is not there: the scheduler allocates them, no kubelet prepares them."""
    (node,) = kubectl("get", "nodes", "--output=name").split()
    things = [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": DRIVER},
            "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]},
        },
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "metadata": {"name": "four-gpus"},
            "spec": {
                "driver": DRIVER,
                "nodeName": node.removeprefix("node/"),
                "pool": {"name": "gpus", "generation": 1, "resourceSliceCount": 1},
                "devices": [
                    {"name": f"gpu-{number}", "attributes": {"model": {"string": "A100"}}}
                    for number in range(4)
                ],
            },
        },
    ]
    text = yaml.safe_dump_all(things)
    kubectl("apply", "--filename=-", stdin=text)
    yield
    kubectl("delete", "--filename=-", stdin=text)


@pytest.mark.usefixtures("devices")
def test_each_pod_claims_its_gpus_from_a_dra_driver(install: Install, kubectl: Kubectl) -> None:
    values = yaml.safe_load((SCENARIOS / "resource-claim-values.yaml").read_text())
    service = install("claimed", values)

    def claims() -> list[dict[str, Any]]:
        listed = json.loads(kubectl("get", "resourceclaims", "--output=json"))["items"]
        return [claim["status"]["allocation"] for claim in listed if "allocation" in claim.get("status", {})]

    wait_until(lambda: len(claims()) == 2, "each pod has a claim that is allocated")
    taken = [device["device"] for claim in claims() for device in claim["devices"]["results"]]
    assert sorted(taken) == ["gpu-0", "gpu-1", "gpu-2", "gpu-3"]
    wait_until(
        lambda: [bool(pod.spec.node_name) for pod in pods_of(service)] == [True, True],
        "the scheduler gives the pods a node",
    )
    (quota,) = quotas(service).values()
    assert quota.spec.hard == {f"{DRIVER}.deviceclass.resource.k8s.io/devices": "4"}
    wait_until(
        lambda: quotas(service)["gpu-inference-gpu.example.com"].status.used == quota.spec.hard,
        "the quota counts devices",
    )
    # A changed claim is a new template: Kubernetes lets none be changed.
    values["cluster"]["resource_claim"]["selectors"] = ["true"]
    install("claimed", values)
    assert len(kubectl("get", "resourceclaimtemplates", "--output=name").split()) == 1
