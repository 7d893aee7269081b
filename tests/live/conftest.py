"""What the live tests need beside the plugin gpu_inference_testing.pytest_plugin: images, the trained sample.

The plugin's fixtures are the cluster with its four GPUs, its kubeconfig, the chart, a namespace per module.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from gpu_inference.cluster import Cluster
from gpu_inference.image import runtime_image, service_image
from gpu_inference.process import end_group, run
from gpu_inference.progress import Progress
from gpu_inference.service import Service
from gpu_inference_testing.pytest_plugin import worker

# One worker runs all of these, so that the image with TensorFlow is brought into one cluster only.
WITH_TENSORFLOW = ("test_demo.py", "test_service.py", "test_frameworks.py")
WITH_KEDA = "test_autoscaling.py"
# For the values of services whose pods no client misses: they end as soon as they are told to.
NO_DRAIN = {"drain": {"preStopSleepSeconds": 0, "seconds": 0}}
SAMPLE = Path(__file__).parents[2] / "model-samples" / "mnist-tf"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.live)
    items.sort(key=_turn)


class _FileByFile(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist's types are not exported
    """Gives each worker a file at a time, and one of them all files with TensorFlow."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "tensorflow" if Path(file).name in WITH_TENSORFLOW else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _FileByFile | None:
    """Return how `--dist loadfile` distributes tests over workers."""
    # Not by xdist's marker for groups: xdist 3.8 with pytest 9.2 does not find it.
    return _FileByFile(config, log) if config.getvalue("dist") == "loadfile" else None


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
