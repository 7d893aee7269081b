"""What stands around a service, before a real API server: routes, monitors, policies, what users add.

Nothing here forwards, scrapes or filters: the cluster has no ingress controller, no gateway, no Prometheus,
and its network plugin enforces no NetworkPolicy. It can show that the objects are accepted, and that the pods
run with what users add.
"""

import base64
import functools
import importlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from kubernetes import client
from tests.live.conftest import NO_DRAIN
from tests.live.kubernetes_objects import api_client, left_of_release, pods_of

from gpu_inference import clients
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory
from gpu_inference.service import Service
from gpu_inference.service.port_forward import PortForward

PATIENCE_SECONDS = 120
QUICK: dict[str, Any] = {"deployment": {"gpu_cores": 0}, **NO_DRAIN}
PYTHON = "/opt/gpu-inference/bin/python"
# Ends at once when it is told to.
SLEEP = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); signal.pause()"
SCENARIO = Path(__file__).parent / "scenarios" / "around-values.yaml"
AROUND: dict[str, Any] = yaml.safe_load(SCENARIO.read_text())
KINDS = {
    "ConfigMap",
    "Deployment",
    "HTTPRoute",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodMonitor",
    "PrometheusRule",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
}

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def kubectl(kubeconfig: Path, namespace: str) -> Kubectl:
    program = clients.kubectl(Progress())

    def call(*words: str, stdin: str | None = None) -> str:
        return run([program, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *words], stdin=stdin)

    return call


@pytest.fixture(scope="module", autouse=True)
def _crds(kubectl: Kubectl) -> Iterator[None]:
    """The operators' own CRDs, out of the Go modules that the render tests' schemas come from."""
    folder = Path(__file__).parents[1] / "chart" / "kubernetes-schemas"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        source: Any = importlib.import_module("generate_crds")
    files = [
        str(source.module_folder(module) / file)
        for module, names in source.CRDS.items()
        # Whoever tests the autoscaler brings KEDA's.
        if "keda" not in module
        for file in names
    ]
    given = [word for file in files for word in ("--filename", file)]
    kubectl("apply", "--server-side", *given)
    kubectl("wait", "--for=condition=Established", f"--timeout={PATIENCE_SECONDS}s", *given)
    yield
    kubectl("delete", "--ignore-not-found", *given)


def rendered(kubeconfig: Path, chart: Path, namespace: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    helm = Helm(clients.helm(4, Progress()), kubeconfig=kubeconfig)
    text = helm.template("echo", chart, values, namespace=namespace)
    return [thing for thing in yaml.safe_load_all(text) if thing]


@pytest.mark.parametrize(
    ("more", "kinds"),
    [
        ({}, KINDS),
        (
            {
                "service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]},
                "metrics": {"serviceMonitor": {"enabled": True}},
            },
            {"Service", "ServiceMonitor"},
        ),
    ],
    ids=["pod monitor", "service monitor"],
)
def test_the_api_server_takes_every_object_under_strict_validation(
    more: dict[str, Any], kinds: set[str], kubectl: Kubectl, kubeconfig: Path, chart: Path, namespace: str
) -> None:
    objects = rendered(kubeconfig, chart, namespace, {**AROUND, **more})
    assert {thing["kind"] for thing in objects} >= kinds
    document = yaml.safe_dump_all(objects)
    flags = ("--server-side", "--dry-run=server", "--validate=strict")
    said = kubectl("apply", *flags, "--filename", "-", stdin=document)
    assert said.count("serverside-applied") == len(objects)


def test_the_api_server_would_have_refused_a_field_that_does_not_exist(
    kubectl: Kubectl, kubeconfig: Path, chart: Path, namespace: str
) -> None:
    # What the test above relies on, for a kind of Kubernetes' own and for one of a CRD.
    for thing in rendered(kubeconfig, chart, namespace, AROUND):
        if thing["kind"] not in ("NetworkPolicy", "HTTPRoute"):
            continue
        thing["spec"]["notAField"] = 1
        flags = ("--server-side", "--dry-run=server", "--validate=strict")
        with pytest.raises(GpuInferenceError, match="notAField"):
            kubectl("apply", *flags, "--filename", "-", stdin=json.dumps(thing))


@pytest.mark.usefixtures("runtime_image_in_cluster")
@pytest.mark.parametrize("major", [3, 4])
def test_a_service_with_all_around_it_is_installed_upgraded_and_removed(
    major: Any, release: Service, kubectl: Kubectl, kubeconfig: Path, chart: Path
) -> None:
    helm = Helm(clients.helm(major, Progress()), kubeconfig=kubeconfig)
    helm.upgrade("echo", chart, AROUND, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    assert release.run('"hello"') == '"hello"'
    kinds = "ingress,httproute,podmonitor,prometheusrule,networkpolicy,pdb,configmap,service"
    listed = json.loads(kubectl("get", kinds, "--selector=cost-centre=7", "--output=json"))["items"]
    found = {(thing["kind"], thing["metadata"]["name"]) for thing in listed}
    assert found >= {
        ("ConfigMap", "echo-dashboard"),
        ("HTTPRoute", "echo"),
        ("Ingress", "echo"),
        ("NetworkPolicy", "echo"),
        ("NetworkPolicy", "echo-keys"),
        ("PodDisruptionBudget", "echo"),
        ("PodMonitor", "echo"),
        ("PrometheusRule", "echo"),
        ("Service", "echo"),
    }
    assert all(thing["metadata"]["annotations"]["contact"] == "me" for thing in listed)
    (service,) = (thing for thing in listed if thing["kind"] == "Service")
    assert service["spec"]["ports"][0]["port"] == 8080
    assert service["spec"]["ports"][0]["nodePort"] >= 30000
    assert service["metadata"]["annotations"].keys() >= {"example.com/a", "example.com/b"}
    assert kubectl("get", "configmap", "echo-extra", "--output=name").strip() == "configmap/echo-extra"

    # All of it goes again with the values that asked for it, and the pods stay what they were.
    helm.upgrade("echo", chart, {**QUICK, "commonLabels": {"cost-centre": "7"}}, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    kept = json.loads(kubectl("get", kinds, "--selector=cost-centre=7", "--output=json"))["items"]
    assert {thing["kind"] for thing in kept} == {"NetworkPolicy", "PodDisruptionBudget", "Service"}
    release.delete()
    assert left_of_release(release) == []


def test_init_containers_sidecars_and_volumes_of_the_user_run_under_restricted_pod_security(
    runtime_image_in_cluster: str, release: Service, kubectl: Kubectl, kubeconfig: Path, chart: Path
) -> None:
    mount = [{"name": "shared", "mountPath": "/shared"}]
    write = "open('/shared/greeting', 'w').write('from the init container')"
    values = {
        **QUICK,
        "extraVolumes": [{"name": "shared", "emptyDir": {}}],
        "extraVolumeMounts": mount,
        "initContainers": [
            {
                "name": "sidecar",
                "image": runtime_image_in_cluster,
                "restartPolicy": "Always",
                "command": [PYTHON, "-c", SLEEP],
            },
            {
                "name": "prepare",
                "image": runtime_image_in_cluster,
                "command": [PYTHON, "-c", write],
                "volumeMounts": mount,
            },
        ],
        "extraContainers": [
            {"name": "beside", "image": runtime_image_in_cluster, "command": [PYTHON, "-c", SLEEP]}
        ],
    }
    helm = Helm(clients.helm(4, Progress()), kubeconfig=kubeconfig)
    helm.upgrade("echo", chart, values, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    (pod,) = pods_of(release)
    assert {status.name: status.ready for status in pod.status.container_statuses} == {
        "scoring": True,
        "beside": True,
    }
    states = {status.name: status.state for status in pod.status.init_container_statuses}
    assert states["sidecar"].running is not None
    assert states["prepare"].terminated.exit_code == 0
    read = "print(open('/shared/greeting').read())"
    said = kubectl("exec", pod.metadata.name, "--container=scoring", "--", PYTHON, "-c", read)
    assert said.strip() == "from the init container"
    assert release.run("1") == "1"


@pytest.mark.usefixtures("runtime_image_in_cluster")
def test_two_of_the_chart_in_one_parent_serve_apart(
    kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    parent = tmp_path / "shop"
    dependency = {"name": "gpu-inference", "version": ">=0.0.0-0", "repository": ""}
    names = ("digits", "speech")
    metadata = {
        "apiVersion": "v2",
        "name": "shop",
        "version": "1.0.0",
        "dependencies": [{**dependency, "alias": name} for name in names],
    }
    parent.mkdir()
    (parent / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    shutil.copytree(chart_directory(), parent / "charts" / "gpu-inference")
    helm = Helm(clients.helm(4, Progress()), kubeconfig=kubeconfig)
    helm.upgrade("shop", parent, dict.fromkeys(names, QUICK), namespace=namespace)
    try:
        api = api_client(Service("shop", kubeconfig=kubeconfig))
        discovery = client.DiscoveryV1Api(api)
        pods, keys = [], []
        for name in names:
            kubectl("rollout", "status", f"deployment/shop-{name}", f"--timeout={PATIENCE_SECONDS}s")
            selector = f"kubernetes.io/service-name=shop-{name}"
            slices = discovery.list_namespaced_endpoint_slice(namespace, label_selector=selector).items
            (pod,) = (point.target_ref.name for piece in slices for point in piece.endpoints)
            assert pod.startswith(f"shop-{name}-")
            pods.append(pod)
            key = kubectl("get", "secret", f"shop-{name}-keys", "--output=jsonpath={.data.primaryKey}")
            keys.append(base64.b64decode(key).decode())
        for name, pod in zip(names, pods, strict=True):
            forward = PortForward(api, namespace, functools.partial(str, pod), 5001)
            uri = f"http://{forward.address}/api/v1/service/shop-{name}/score"
            codes = [
                requests.post(uri, "1", headers={"Authorization": f"Bearer {key}"}, timeout=60).status_code
                for key in keys
            ]
            forward.close()
            assert codes == ([200, 401] if name == names[0] else [401, 200])
    finally:
        helm.uninstall("shop", namespace=namespace)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while kubectl("get", "pods", "--output=name").strip():
        assert time.monotonic() < deadline
        time.sleep(0.5)
