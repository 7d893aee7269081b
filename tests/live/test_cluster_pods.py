"""What pods find in the embedded cluster: a network, names, volumes, simulated GPUs, and CPU for all.

There is no image on this machine to try it with, so pods borrow the node's own programs: the pause image with
/usr and its links mounted.
"""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client, config
from tests.live.addresses import free_block
from tests.live.node_tree import descendants

from gpu_inference.cli import main
from gpu_inference.cluster import Cluster, open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import runtime_image
from gpu_inference.paths import state_directory
from gpu_inference.progress import Progress, Silent
from gpu_inference_testing import versions
from gpu_inference_testing.archive import ArchivedImage
from gpu_inference_testing.embedded import processes
from gpu_inference_testing.gpus import set_gpus

NAME = "gpu-pods"
PAUSE = "localhost/gpu-inference-pause:1"
BORROWED = ["usr", "bin", "lib", "lib64"]
RESTRICTED: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Cluster]:
    block = free_block()
    cluster = open_cluster("embedded", NAME, address_range=block, progress=Progress())
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="module")
def core(lab: Cluster) -> Iterator[Any]:
    with config.new_client_from_config(str(lab.up())) as api:
        yield client.CoreV1Api(api)


@pytest.fixture
def namespace(core: Any) -> Iterator[str]:
    made = core.create_namespace({"metadata": {"generateName": "test-"}}).metadata.name
    wait_until(lambda: core.list_namespaced_service_account(made).items)
    yield made
    core.delete_namespace(made)


def wait_until(condition: Any, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return result


def pod(name: str, *, gpus: int = 0, **container: Any) -> dict[str, Any]:
    if gpus:
        container.setdefault("resources", {})["limits"] = {"nvidia.com/gpu": str(gpus)}
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "containers": [{"name": "main", "image": PAUSE, "imagePullPolicy": "Never", **container}],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }


def with_programs(made: dict[str, Any]) -> dict[str, Any]:
    """Give a pod the programs of this machine."""
    spec = made["spec"]
    spec.setdefault("volumes", []).extend(
        {"name": name, "hostPath": {"path": f"/{name}"}} for name in BORROWED
    )
    mounts = [{"name": name, "mountPath": f"/{name}", "readOnly": True} for name in BORROWED]
    spec["containers"][0].setdefault("volumeMounts", []).extend(mounts)
    return made


def output(core: Any, namespace: str, made: dict[str, Any]) -> str:
    """Run a pod to its end and return what it wrote."""
    name = made["metadata"]["name"]
    core.create_namespaced_pod(namespace, made)
    phase = wait_until(
        lambda: ended if (ended := phase_of(core, namespace, name)) in ("Succeeded", "Failed") else None
    )
    log: str = core.read_namespaced_pod_log(name, namespace)
    assert phase == "Succeeded", log
    return log


def phase_of(core: Any, namespace: str, name: str) -> str:
    phase: str = core.read_namespaced_pod(name, namespace).status.phase
    return phase


def test_cluster_is_the_kubernetes_that_we_say_it_is(lab: Cluster) -> None:
    status = lab.status()
    assert status.running
    assert status.node_ready
    assert status.kubernetes == f"v{versions.KUBERNETES}"
    assert status.cpu_overcommitted


def test_idle_cluster_stays_small(lab: Cluster) -> None:
    lab.up()
    node = processes.find(NAME, state_directory() / NAME)
    assert node is not None
    resident = 0
    for pid in descendants(node.launcher):
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        resident += sum(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))
    assert resident < 1.2e9


def test_pod_finds_services_by_name_and_nothing_beyond_this_machine(core: Any, namespace: str) -> None:
    script = (
        "getent hosts kubernetes.default.svc.cluster.local kubernetes.default; getent hosts example.com; true"
    )
    found = output(core, namespace, with_programs(pod("names", command=["/bin/sh", "-c", script])))
    address = core.read_namespaced_service("kubernetes", "default").spec.cluster_ip
    assert [line.split() for line in found.splitlines()] == [
        [address, "kubernetes.default.svc.cluster.local"]
    ] * 2


def test_service_answers_from_this_host_and_from_a_pod(core: Any, namespace: str) -> None:
    serve = ["/usr/bin/python3", "-m", "http.server", "8080", "--directory", "/usr/share/doc"]
    made = with_programs(pod("web", command=serve))
    made["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    core.create_namespaced_pod(namespace, made)
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    service = core.create_namespaced_service(namespace, {"metadata": {"name": "web"}, "spec": spec})
    wait_until(lambda: core.read_namespaced_pod("web", namespace).status.container_statuses)
    wait_until(lambda: core.read_namespaced_pod("web", namespace).status.container_statuses[0].ready)

    def answers() -> bool:
        try:
            return requests.get(f"http://{service.spec.cluster_ip}/", timeout=5).ok
        except requests.ConnectionError:  # kube-proxy takes a moment to write the Service's rules.
            return False

    wait_until(answers)
    ask = f"import urllib.request as r; print(r.urlopen('http://web.{namespace}/', timeout=10).status)"
    assert (
        output(core, namespace, with_programs(pod("ask", command=["/usr/bin/python3", "-c", ask]))) == "200\n"
    )


def test_volume_can_be_written_by_a_pod_that_is_not_root(core: Any, namespace: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": "data"}, "spec": claim})
    wait_until(
        lambda: core.read_namespaced_persistent_volume_claim("data", namespace).status.phase == "Bound"
    )
    made = with_programs(
        pod("writer", command=["/bin/sh", "-c", "id -u; echo kept > /data/file && cat /data/file"])
    )
    made["spec"]["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "data"}})
    made["spec"]["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/data"})
    assert output(core, namespace, made) == "10001\nkept\n"


def test_pod_that_is_not_restricted_is_refused_where_that_is_enforced(core: Any, namespace: str) -> None:
    core.patch_namespace(
        namespace, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    )
    with pytest.raises(client.ApiException, match="allowPrivilegeEscalation"):
        core.create_namespaced_pod(namespace, pod("free"))
    core.create_namespaced_pod(namespace, pod("restricted", securityContext=RESTRICTED))
    wait_until(lambda: phase_of(core, namespace, "restricted") == "Running")


def image_archive(lab_state: Path, archive: Path, name: str, note: str) -> ArchivedImage:
    """Make the pause image anew under another name, with a label that changes its id."""
    with tarfile.open(lab_state / "pause.tar") as source, tarfile.open(archive, "w") as target:
        files = {member.name: source.extractfile(member) for member in source}
        content = {name: file.read() for name, file in files.items() if file is not None}
        (manifest,) = json.loads(content.pop("manifest.json"))
        made = json.loads(content.pop(manifest["Config"]))
        made["config"]["Labels"] = {"note": note}
        content["config.json"] = json.dumps(made).encode()
        manifest |= {"Config": "config.json", "RepoTags": [name]}
        content["manifest.json"] = json.dumps([manifest]).encode()
        for file_name, data in content.items():
            entry = tarfile.TarInfo(file_name)
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return ArchivedImage(archive)


def test_image_is_loaded_once_and_again_when_it_changed(
    lab: Cluster, core: Any, namespace: str, tmp_path: Path
) -> None:
    state = state_directory() / NAME
    name = "docker.io/library/live-test:1"
    first = image_archive(state, tmp_path / "first.tar", name, "first")
    second = image_archive(state, tmp_path / "second.tar", name, "second")
    loads = [lab.load_image(image) for image in (first, first, second, second, first)]
    assert loads == [True, False, True, False, True]
    assert not list(state.glob("image-*"))
    made = pod("loaded")
    made["spec"]["containers"][0]["image"] = "live-test:1"
    core.create_namespaced_pod(namespace, made)
    wait_until(lambda: phase_of(core, namespace, "loaded") == "Running")


def test_image_is_loaded_by_the_name_that_image_list_shows(
    lab: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    image = runtime_image(progress=Silent())
    assert main(["image", "list"]) == 0
    assert image.reference in capsys.readouterr().out
    for _ in range(2):
        assert main(["cluster", "load-image", "--name", NAME, image.reference]) == 0
    loaded, again = capsys.readouterr().out.splitlines()
    assert loaded == f"{image.reference}: loaded"
    assert again == f"{image.reference}: was there already"
    assert lab.status().node_ready


def test_image_that_cannot_be_written_out_leaves_nothing(lab: Cluster, tmp_path: Path) -> None:
    state = state_directory() / NAME
    image = image_archive(state, tmp_path / "gone.tar", "docker.io/library/gone:1", "")
    (tmp_path / "gone.tar").write_bytes(b"cut short")
    with pytest.raises(GpuInferenceError, match="images import"):
        lab.load_image(image)
    assert not list(state.glob("image-*"))


def created(core: Any, namespace: str, made: dict[str, Any]) -> Any:
    return core.create_namespaced_pod(namespace, made, dry_run="All")


@pytest.mark.parametrize(
    ("requested", "kept"),
    [("2", "2"), ("500m", "500m"), ("0.5", "500m"), ("16", "16"), ("101m", "101m")],
)
def test_cpu_request_is_lowered_and_kept_in_an_annotation(
    core: Any, namespace: str, requested: str, kept: str
) -> None:
    made = created(core, namespace, pod("p", resources={"requests": {"cpu": requested, "memory": "1Gi"}}))
    assert made.spec.containers[0].resources.requests == {"cpu": "100m", "memory": "1Gi"}
    assert made.metadata.annotations == {"cpu-request.gpu-inference/main": kept}


@pytest.mark.parametrize("resources", [{}, {"requests": {"memory": "1Gi"}}, {"requests": {"cpu": "100m"}}])
def test_pod_that_asks_for_little_or_no_cpu_stays_as_it_is(
    core: Any, namespace: str, resources: dict[str, dict[str, str]]
) -> None:
    made = created(core, namespace, pod("p", resources=resources))
    assert made.spec.containers[0].resources.requests == resources.get("requests")
    assert made.metadata.annotations is None


def test_every_container_is_lowered_by_itself_and_all_else_stays(core: Any, namespace: str) -> None:
    made = pod(
        "p",
        resources={"requests": {"cpu": "3"}, "limits": {"cpu": "4", "memory": "2Gi", "nvidia.com/gpu": "1"}},
    )
    made["metadata"]["annotations"] = {"mine/own": "kept"}
    spec = made["spec"]
    spec["containers"].append({"name": "small", "image": PAUSE, "resources": {"requests": {"cpu": "50m"}}})
    spec["containers"].append({"name": "other", "image": PAUSE, "resources": {"limits": {"cpu": "700m"}}})
    spec["initContainers"] = [
        {"name": "quick", "image": PAUSE},
        {"name": "busy", "image": PAUSE, "resources": {"requests": {"cpu": "1500m"}}},
    ]
    made = created(core, namespace, made)
    requests_of = {c.name: c.resources.requests for c in made.spec.containers + made.spec.init_containers}
    assert requests_of == {
        "main": {"cpu": "100m", "memory": "2Gi", "nvidia.com/gpu": "1"},
        "small": {"cpu": "50m"},
        "other": {"cpu": "100m"},
        "quick": None,
        "busy": {"cpu": "100m"},
    }
    assert made.spec.containers[0].resources.limits == {"cpu": "4", "memory": "2Gi", "nvidia.com/gpu": "1"}
    assert made.metadata.annotations == {
        "mine/own": "kept",
        "cpu-request.gpu-inference/main": "3",
        "cpu-request.gpu-inference/other": "700m",
        "cpu-request.gpu-inference/busy": "1500m",
    }


def test_more_cpu_than_there_is_can_be_requested_until_that_is_turned_off(
    lab: Cluster, core: Any, namespace: str
) -> None:
    big = {"requests": {"cpu": "64"}}
    for number in range(3):
        core.create_namespaced_pod(namespace, pod(f"big-{number}", resources=big))
    wait_until(lambda: all(phase_of(core, namespace, f"big-{number}") == "Running" for number in range(3)))
    open_cluster("embedded", NAME, cpu_overcommit=False).up()
    try:
        assert not lab.status().cpu_overcommitted
        core.create_namespaced_pod(namespace, pod("honest", resources=big))
        wait_until(lambda: "Insufficient cpu" in (unschedulable(core, namespace, "honest") or ""))
    finally:
        open_cluster("embedded", NAME, cpu_overcommit=True).up()
    assert lab.status().cpu_overcommitted


def unschedulable(core: Any, namespace: str, name: str) -> str | None:
    for condition in core.read_namespaced_pod(name, namespace).status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            message: str | None = condition.message
            return message
    return None


def node_labels(core: Any) -> dict[str, str]:
    labels = core.read_node(NAME).metadata.labels
    return {name: value for name, value in labels.items() if name.startswith("nvidia.com/")}


# From here on the tests change the node's GPUs, the last one for good: the order is part of the test.


def test_patched_gpus_are_scheduled_until_they_are_used_up(lab: Cluster, core: Any, namespace: str) -> None:
    set_gpus(lab, 2)
    for number in range(3):
        core.create_namespaced_pod(namespace, pod(f"gpu-{number}", gpus=1))
    names = [f"gpu-{number}" for number in range(3)]
    wait_until(
        lambda: sorted(phase_of(core, namespace, name) for name in names) == ["Pending", "Running", "Running"]
    )
    (waiting,) = [name for name in names if phase_of(core, namespace, name) == "Pending"]
    wait_until(lambda: "Insufficient nvidia.com/gpu" in (unschedulable(core, namespace, waiting) or ""))
    set_gpus(lab, 3)
    wait_until(lambda: phase_of(core, namespace, waiting) == "Running")


def test_patched_gpus_outlast_the_kubelets_own_reports(lab: Cluster, core: Any) -> None:
    set_gpus(lab, 4, "Tesla-V100-SXM2-16GB")
    reported = reported_at(core)
    wait_until(lambda: reported_at(core) > reported, 120)
    status = lab.status()
    assert (status.gpus, status.gpu_product) == (4, "Tesla-V100-SXM2-16GB")


def reported_at(core: Any) -> Any:
    conditions = core.read_node(NAME).status.conditions
    return max(condition.last_heartbeat_time for condition in conditions)


def test_labels_come_with_the_gpus_and_go_with_them(lab: Cluster, core: Any) -> None:
    set_gpus(lab, 4, "NVIDIA-A100-SXM4-40GB")
    assert node_labels(core) == {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB",
        "nvidia.com/gpu.count": "4",
        "nvidia.com/gpu.memory": "40960",
    }
    set_gpus(lab, 0)
    assert node_labels(core) == {}
    node = core.read_node(NAME)
    assert "nvidia.com/gpu" not in node.status.capacity | node.status.allocatable
    assert "gpu-inference/simulated-gpus" not in (node.metadata.annotations or {})


def test_node_with_real_gpus_is_refused_and_not_changed(lab: Cluster, core: Any) -> None:
    # As a driver's device plugin would have it: advertised, and without our annotation.
    real = [
        {"op": "add", "path": f"/status/{field}/nvidia.com~1gpu", "value": "8"}
        for field in ("capacity", "allocatable")
    ]
    core.patch_node_status(NAME, real)
    try:
        for count in (4, 0):
            with pytest.raises(GpuInferenceError, match=r"has 8 real nvidia\.com/gpu"):
                set_gpus(lab, count)
        assert lab.status().gpus == 8
    finally:
        core.patch_node_status(NAME, [{"op": "remove", "path": step["path"]} for step in real])


def test_negative_number_of_gpus_is_refused(lab: Cluster) -> None:
    with pytest.raises(GpuInferenceError, match="cannot have -1 GPUs"):
        set_gpus(lab, -1)


def test_gpus_of_the_device_plugin_are_given_to_containers_by_name(
    lab: Cluster, core: Any, namespace: str
) -> None:
    set_gpus(lab, 2)
    set_gpus(lab, 3, mode="plugin")
    given = output(
        core,
        namespace,
        with_programs(pod("env", command=["/usr/bin/printenv", "NVIDIA_VISIBLE_DEVICES"], gpus=2)),
    )
    names = given.strip().split(",")
    assert len(set(names)) == 2
    assert all(name.startswith("GPU-") for name in names)
    with pytest.raises(GpuInferenceError, match="undoes a patch"):
        set_gpus(lab, 1)
    set_gpus(lab, 0)
    assert lab.status().gpus == 0
    assert node_labels(core) == {}
