"""The pytest plugin: a cluster with GPUs that are not there, and a namespace in it for each module of tests.

It is loaded wherever gpu-inference-testing is installed. A test asks for what it needs by the fixture's name:

    from gpu_inference.service import deploy

    def test_my_service_answers(namespace, kubeconfig):
        service = deploy("mine", image="registry.example/mine:1", namespace=namespace, kubeconfig=kubeconfig)
        service.wait_for_deployment(timeout_sec=120)
        assert service.run('{"data": [1, 2]}') == [3]

The cluster comes up with the first test that needs it and goes with the last. With `--kubeconfig FILE`
(pytest-helm-charts' option) the tests run on that cluster instead, and with `--chart-path FOLDER` the fixture
`chart` is that chart. pytest-helm-charts' own fixtures (`kube_cluster`, `namespace_factory`, …) work on the
same cluster. With pytest-xdist each worker has a cluster of its own.
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

# The clients of Kubernetes take a second to import, which runs without a cluster do not have to spend.
if TYPE_CHECKING:
    from pytest_helm_charts.clusters import Cluster as HelmCluster

    from gpu_inference.cluster import Cluster
    from gpu_inference.progress import Progress

_QUESTIONS = (
    ["get", "all", "-o", "wide"],
    ["get", "events", "--sort-by=.lastTimestamp"],
    ["logs", "-l", "app.kubernetes.io/name=gpu-inference", "--all-containers", "--prefix", "--tail=60"],
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all of them with the distribution's name: pytest-kind has some of the same."""
    group = parser.getgroup("gpu-inference", "clusters for tests of GPU inference services")
    group.addoption(
        "--gpu-inference-provider",
        default="embedded",
        metavar="NAME",
        help="what brings up the tests' cluster: embedded (the default) or kind",
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
        help="GPUs that its node advertises and does not have (default: 4)",
    )
    group.addoption(
        "--gpu-inference-keep-cluster", action="store_true", help="leave the tests' cluster running"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Put pytest-helm-charts' fixtures on our cluster: of two plugins' fixtures the last registered wins."""
    config.pluginmanager.register(_KubeConfig(), "gpu-inference-kube-config")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the clusters of workers that were ended before they could do it themselves, by Ctrl-C."""
    if worker() or config.getoption("gpu_inference_keep_cluster") or config.getoption("kubeconfig"):
        return
    for number in range(config.getoption("numprocesses", 0) or 0):
        name = f"{config.getoption('gpu_inference_cluster_name')}-gw{number}"
        if local_kubeconfig(name).parent.exists():
            _open(config, name).down()


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator["Cluster"]:
    """The cluster under the tests, up, with GPUs that are not there (see --gpu-inference-gpus)."""
    from gpu_inference.cluster import open_cluster
    from gpu_inference.progress import Progress
    from gpu_inference_testing.gpus import set_gpus

    given = pytestconfig.getoption("kubeconfig")
    if given:
        yield open_cluster("kubeconfig", kubeconfig=Path(given))
        return
    # Each worker has its own.
    name = "-".join(filter(None, [pytestconfig.getoption("gpu_inference_cluster_name"), worker()]))
    cluster = _open(pytestconfig, name, Progress())
    try:
        cluster.up()
        set_gpus(cluster, pytestconfig.getoption("gpu_inference_gpus"))
        yield cluster
    finally:
        if not pytestconfig.getoption("gpu_inference_keep_cluster"):
            # Not by the one from above: after Ctrl-C what it would write to is closed.
            _open(pytestconfig, name).down()


@pytest.fixture(scope="session")
def kubeconfig(cluster: "Cluster") -> Path:
    """The kubeconfig of the cluster under the tests."""
    return cluster.up()


@pytest.fixture(scope="session")
def chart(pytestconfig: pytest.Config) -> Path:
    """The chart under the tests: that of --chart-path, else the one that gpu-inference brings along."""
    from gpu_inference.resources import chart_directory

    given = pytestconfig.getoption("chart_path")
    return Path(given) if given else chart_directory()


@pytest.fixture(scope="module")
def namespace(request: pytest.FixtureRequest, kube_cluster: "HelmCluster", kubeconfig: Path) -> Iterator[str]:
    """A fresh namespace that enforces restricted Pod Security; its state is printed when a test failed."""
    failures_before = request.session.testsfailed
    with restricted_namespace(kube_cluster) as name:
        yield name
        if request.session.testsfailed > failures_before:
            print(namespace_report(kubeconfig, name))


@contextmanager
def restricted_namespace(cluster: "HelmCluster") -> Iterator[str]:
    """Make a namespace that enforces restricted Pod Security; nobody waits until it is gone.

    Args:
        cluster: what pytest-helm-charts' fixture `kube_cluster` gives.
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
    """Return which of several workers this is (gw0, gw1, …), or nothing where there is one."""
    return os.environ.get("PYTEST_XDIST_WORKER", "")


def namespace_report(kubeconfig: Path, namespace: str) -> str:
    """Return the namespace's objects, events and logs as kubectl prints them."""
    from gpu_inference.clients import kubectl
    from gpu_inference.errors import GpuInferenceError
    from gpu_inference.process import run

    answers = []
    for question in _QUESTIONS:
        try:
            answer = run([kubectl(), f"--kubeconfig={kubeconfig}", "-n", namespace, *question], timeout=20)
        except GpuInferenceError as error:
            answer = str(error)
        answers.append(f"--- kubectl -n {namespace} {' '.join(question)}\n{answer}")
    return "\n".join(answers)


class _KubeConfig:
    @pytest.fixture(scope="module")
    @classmethod
    def kube_config(cls, kubeconfig: Path) -> str:
        """pytest-helm-charts' fixture of this name, for the cluster under the tests."""
        return str(kubeconfig)


def _open(config: pytest.Config, name: str, progress: "Progress | None" = None) -> "Cluster":
    from gpu_inference.cluster import open_cluster

    return open_cluster(config.getoption("gpu_inference_provider"), name, progress=progress)
