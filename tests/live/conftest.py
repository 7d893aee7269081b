"""Fixtures of the live tests: a real cluster, a namespace per module, the trained sample, the images.

They run on a cluster of their own, which comes up with the first test and goes with the last. With
`--kubeconfig PATH` (pytest-helm-charts' option) they run on that one instead; with `--chart-path PATH` they
install that chart instead of the checkout's.
"""

import random
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pykube
import pytest
from pytest_helm_charts.k8s.fixtures import NamespaceFactoryFunc
from tests.live.namespace_report import namespace_report

from gpu_inference.cluster import Cluster, open_cluster
from gpu_inference.image import runtime_image, service_image
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory

GPUS = 4
GPU_PRODUCT = "NVIDIA-A100-SXM4-40GB"
SAMPLE = Path(__file__).parents[2] / "model-samples" / "mnist-tf"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-cluster", action="store_true", help="leave the tests' cluster running")
    parser.addoption("--cluster-name", default="gpu-tests", help="name of the tests' cluster")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """The cluster under the tests, up, with four GPUs that are not there."""
    given = pytestconfig.getoption("kubeconfig")
    if given:
        yield open_cluster("kubeconfig", kubeconfig=Path(given))
        return
    cluster = open_cluster("embedded", pytestconfig.getoption("cluster_name"), progress=Progress())
    try:
        cluster.up()
        cluster.set_gpus(GPUS, GPU_PRODUCT)
        yield cluster
    finally:
        if not pytestconfig.getoption("keep_cluster"):
            cluster.down()


@pytest.fixture(scope="session")
def kubeconfig(cluster: Cluster) -> Path:
    return cluster.up()


@pytest.fixture(scope="module")
def kube_config(kubeconfig: Path) -> str:
    """pytest-helm-charts' fixture of this name: its `kube_cluster` and namespaces are then on our cluster."""
    return str(kubeconfig)


@pytest.fixture(scope="session")
def runtime_image_in_cluster(cluster: Cluster) -> str:
    """The name of the bare runtime's image, which is in the cluster; its built-in script echoes."""
    image = runtime_image(progress=Progress())
    cluster.load_image(image)
    return image.reference


@pytest.fixture(scope="session")
def working_image(cluster: Cluster) -> dict[str, str]:
    """An image whose script works as long as each request says, as the chart's values name it."""
    base = runtime_image(progress=Progress())
    image = service_image("working", Path(__file__).parent / "working", "score.py", [], base)
    cluster.load_image(image)
    repository, _, tag = image.reference.rpartition(":")
    return {"repository": repository, "tag": tag}


@pytest.fixture(scope="session")
def chart(pytestconfig: pytest.Config) -> Path:
    given = pytestconfig.getoption("chart_path")
    return Path(given) if given else chart_directory()


@pytest.fixture(scope="module")
def namespace(
    request: pytest.FixtureRequest, namespace_factory: NamespaceFactoryFunc, kubeconfig: Path
) -> Iterator[str]:
    """A fresh namespace that enforces restricted Pod Security; its state is printed when a test failed."""
    name = "test-" + "".join(random.choices(string.ascii_lowercase, k=6))
    restricted = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    created: pykube.Namespace = namespace_factory(name, extra_metadata=restricted)
    failures_before = request.session.testsfailed
    yield str(created.name)
    if request.session.testsfailed > failures_before:
        print(namespace_report(kubeconfig, name))


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The sample's trained model: trained now unless it is there already."""
    print(run([sys.executable, SAMPLE / "train.py"]))
    return SAMPLE / "outputs" / "model"
