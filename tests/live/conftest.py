"""What the live tests need beside the plugin gpu_inference_testing.pytest_plugin: images, the trained sample.

The plugin's fixtures are the cluster with its four GPUs, its kubeconfig, the chart, a namespace per module.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_inference.cluster import Cluster
from gpu_inference.image import runtime_image, service_image
from gpu_inference.process import end_group, run
from gpu_inference.progress import Progress
from gpu_inference.service import Service
from gpu_inference_testing.pytest_plugin import worker

WITH_TENSORFLOW = ("test_demo.py", "test_service.py")
WITH_KEDA = "test_autoscaling.py"
SAMPLE = Path(__file__).parents[2] / "model-samples" / "mnist-tf"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.live)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Return 0 for what takes longest, 2 for what needs a program that is compiled meanwhile."""
    return 0 if item.path.name in WITH_TENSORFLOW else 2 if item.path.name == WITH_KEDA else 1


# Its errors are told by the test that then compiles it again. Ended early, it leaves nothing behind.
_COMPILE_KEDA = """
import signal, sys
from gpu_inference.progress import Silent
from gpu_inference_testing.toolchain.programs import KEDA, build
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
build((KEDA,), Silent())
"""


@pytest.fixture(scope="session", autouse=True)
def _keda_is_compiled_meanwhile(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compile KEDA, if it is not yet, with what the other tests leave of the processors: minutes."""
    needed = any(item.path.name == WITH_KEDA for item in request.session.items)
    if not needed or request.config.getoption("kubeconfig") or worker() not in ("", "gw0"):
        yield
        return
    compiler = subprocess.Popen(
        # It ends with this process, however that ends.
        ["setpriv", "--pdeathsig", "TERM", "nice", "-n", "19", sys.executable, "-c", _COMPILE_KEDA],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
        # This worker has no more to do, but the other one may wait for it.
        if worker() and request.session.exitstatus != pytest.ExitCode.INTERRUPTED:
            compiler.wait()
    finally:
        end_group(compiler)


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


@pytest.fixture
def release(namespace: str, kubeconfig: Path) -> Iterator[Service]:
    """A service that is not there yet; removed afterwards."""
    service = Service("echo", namespace=namespace, kubeconfig=kubeconfig)
    yield service
    service.delete()
    service.close()


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The sample's trained model: trained now unless it is there already."""
    print(run([sys.executable, SAMPLE / "train.py"]))
    return SAMPLE / "outputs" / "model"
