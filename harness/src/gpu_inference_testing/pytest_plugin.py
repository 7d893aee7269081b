"""The pytest plugin: fixtures for a cluster with simulated GPUs, and for a namespace per test module.

pytest loads it if gpu-inference-testing is installed. A test requests the fixtures by name:

    from gpu_inference.service import deploy

    def test_my_service_answers(namespace, kubeconfig):
        service = deploy("mine", image="registry.example/mine:1", namespace=namespace, kubeconfig=kubeconfig)
        service.wait_for_deployment(timeout_sec=120)
        assert service.run('{"data": [1, 2]}') == [3]

The cluster is brought up for the first test that uses it and removed at the end of the session. With
`--kubeconfig FILE` (an option of pytest-helm-charts) the tests run on that cluster instead, and with
`--chart-path FOLDER` the fixture `chart` is that chart. The fixtures of pytest-helm-charts (`kube_cluster`,
`namespace_factory`, …) use the same cluster. With pytest-xdist each worker has its own cluster.
"""

import os
import random
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gpu_inference.paths import local_kubeconfig

# Importing the Kubernetes clients takes a second, so they are imported only when a cluster is used.
if TYPE_CHECKING:
    from pytest_helm_charts.clusters import Cluster as HelmCluster

    from gpu_inference.cluster import Cluster
    from gpu_inference.progress import Progress

_REPORT_COMMANDS = (
    ["get", "all", "-o", "wide"],
    ["get", "events", "--sort-by=.lastTimestamp"],
    ["logs", "-l", "app.kubernetes.io/name=gpu-inference", "--all-containers", "--prefix", "--tail=60"],
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, prefixed with the distribution's name so that they do not clash with pytest-kind's."""
    group = parser.getgroup("gpu-inference", "clusters for tests of GPU inference services")
    group.addoption(
        "--gpu-inference-provider",
        default="embedded",
        metavar="NAME",
        help="provider of the tests' cluster: embedded or kind (default: embedded)",
    )
    group.addoption(
        "--gpu-inference-cluster-name",
        default="gpu-tests",
        metavar="NAME",
        help="name of the tests' cluster (default: gpu-tests)",
    )
    group.addoption(
        "--gpu-inference-gpus",
        type=int,
        default=4,
        metavar="N",
        help="simulated GPUs that its node advertises (default: 4)",
    )
    group.addoption(
        "--gpu-inference-keep-cluster", action="store_true", help="leave the tests' cluster running"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Override the fixture `kube_config` of pytest-helm-charts; the plugin that is registered last wins."""
    config.pluginmanager.register(_KubeConfig(), "gpu-inference-kube-config")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the clusters of workers that Ctrl-C ended before they could remove them."""
    if worker() or config.getoption("gpu_inference_keep_cluster") or config.getoption("kubeconfig"):
        return
    for number in range(config.getoption("numprocesses", 0) or 0):
        name = f"{config.getoption('gpu_inference_cluster_name')}-gw{number}"
        if local_kubeconfig(name).parent.exists():
            _open(config, name).down()


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator["Cluster"]:
    """A running cluster with simulated GPUs; see the options --gpu-inference-*.

    With `--kubeconfig FILE` it is that cluster, with the GPUs that it has.

    Raises:
        GpuInferenceError: the cluster cannot be brought up.

    Example:
        def test_image_is_loaded_once(cluster, image):
            cluster.load_image(image)
            assert not cluster.load_image(image)
    """
    from gpu_inference.cluster import open_cluster
    from gpu_inference.progress import Progress
    from gpu_inference_testing.gpus import set_gpus

    given = pytestconfig.getoption("kubeconfig")
    if given:
        yield open_cluster("kubeconfig", kubeconfig=Path(given))
        return
    # Each xdist worker has its own cluster.
    name = "-".join(filter(None, [pytestconfig.getoption("gpu_inference_cluster_name"), worker()]))
    cluster = _open(pytestconfig, name, Progress())
    try:
        cluster.up()
        set_gpus(cluster, pytestconfig.getoption("gpu_inference_gpus"))
        yield cluster
    finally:
        if not pytestconfig.getoption("gpu_inference_keep_cluster"):
            # A new object without progress: after Ctrl-C the stream that progress writes to is closed.
            _open(pytestconfig, name).down()


@pytest.fixture(scope="session")
def kubeconfig(cluster: "Cluster") -> Path:
    """Path of the kubeconfig of the fixture `cluster`.

    Example:
        def test_pods_can_be_listed(kubeconfig):
            subprocess.run(["kubectl", f"--kubeconfig={kubeconfig}", "get", "pods"], check=True)
    """
    return cluster.up()


@pytest.fixture(scope="session")
def chart(pytestconfig: pytest.Config) -> Path:
    """Path of the chart: --chart-path, or the chart that gpu-inference contains.

    Example:
        def test_chart_renders(chart):
            assert "kind: Deployment" in Helm().template("mine", chart, VALUES)
    """
    from gpu_inference.resources import chart_directory

    given = pytestconfig.getoption("chart_path")
    return Path(given) if given else chart_directory()


@pytest.fixture(scope="module")
def namespace(request: pytest.FixtureRequest, kube_cluster: "HelmCluster", kubeconfig: Path) -> Iterator[str]:
    """Name of a new namespace for a test module, which enforces the restricted Pod Security Standard.

    If a test of the module fails, the namespace's objects, events and logs are printed.

    Example:
        def test_service_is_deployed(namespace, kubeconfig):
            deploy("mine", image="registry.example/mine:1", namespace=namespace, kubeconfig=kubeconfig)
    """
    failures_before = request.session.testsfailed
    with restricted_namespace(kube_cluster) as name:
        yield name
        if request.session.testsfailed > failures_before:
            print(namespace_report(kubeconfig, name))


@contextmanager
def restricted_namespace(cluster: "HelmCluster") -> Iterator[str]:
    """Create a namespace that enforces restricted Pod Security; delete it at the end without waiting.

    Args:
        cluster: the fixture `kube_cluster` of pytest-helm-charts.
    """
    import pykube

    name = "test-" + "".join(random.choices(string.ascii_lowercase, k=6))
    metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    namespace = pykube.Namespace(cluster.kube_client, {"metadata": metadata})
    namespace.create()
    try:
        yield name
    finally:
        namespace.delete()


def worker() -> str:
    """Return the name of this pytest-xdist worker (gw0, gw1, …), or an empty string without xdist."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")


def namespace_report(kubeconfig: Path, namespace: str) -> str:
    """Return the namespace's objects, events and logs, as kubectl prints them."""
    from gpu_inference.clients import kubectl
    from gpu_inference.errors import GpuInferenceError
    from gpu_inference.process import run

    sections = []
    for command in _REPORT_COMMANDS:
        try:
            output = run([kubectl(), f"--kubeconfig={kubeconfig}", "-n", namespace, *command], timeout=20)
        except GpuInferenceError as error:
            output = str(error)
        sections.append(f"--- kubectl -n {namespace} {' '.join(command)}\n{output}")
    return "\n".join(sections)


class _KubeConfig:
    @pytest.fixture(scope="module")
    @classmethod
    def kube_config(cls, kubeconfig: Path) -> str:
        """Path of the kubeconfig of the fixture `cluster`, for pytest-helm-charts."""
        return str(kubeconfig)


def _open(config: pytest.Config, name: str, progress: "Progress | None" = None) -> "Cluster":
    from gpu_inference.cluster import open_cluster

    return open_cluster(config.getoption("gpu_inference_provider"), name, progress=progress)
