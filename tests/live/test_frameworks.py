"""Each framework's sample on the cluster: trained by train.py, deployed as its configuration says, scored.

TensorFlow 1 is in test_service.py and test_demo.py. PyTorch is Debian's, because its own wheel brings
gigabytes of CUDA libraries: that one is shown in tests/soak/test_torch_wheel.py.
"""

from pathlib import Path

import pytest
from tests.live.conftest import NO_DRAIN
from tests.model_samples import ONNX, SKLEARN, TF2, TORCH, Sample

from gpu_inference.cluster import Cluster
from gpu_inference.convert import convert
from gpu_inference.image import BuiltImage, Model, runtime_image
from gpu_inference.image.debian_base import debian_base
from gpu_inference.image.engine import Buildah
from gpu_inference.progress import Progress
from gpu_inference.service import deploy

GPUS = 4
# The release whose PyTorch no longer unpickles whole modules unless it is told to, as none does since then.
DEBIAN_WITH_TORCH_2_6 = "trixie"


@pytest.fixture(scope="module")
def torch_base() -> BuiltImage:
    return debian_base(Buildah(), Progress(), suite=DEBIAN_WITH_TORCH_2_6, packages=("python3-torch",))


@pytest.mark.parametrize("sample", [SKLEARN, ONNX, TF2], ids=lambda sample: sample.name)
def test_a_samples_model_is_scored_on_the_cluster(
    sample: Sample, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    deploy_and_score(sample, sample.train(tmp_path), cluster, namespace, framework=sample.framework)


def test_a_pickled_torch_module_is_scored_on_the_cluster(
    torch_base: BuiltImage, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    runtime = runtime_image(base_image=torch_base.reference, progress=Progress())
    train_inside(runtime, TORCH, tmp_path)
    log = deploy_and_score(TORCH, tmp_path / TORCH.model, cluster, namespace, base_image=torch_base.reference)
    assert "PyTorch 2.6.0" in log


def deploy_and_score(sample: Sample, model: Path, cluster: Cluster, namespace: str, **image: str) -> str:
    """Deploy a sample, send its requests, delete it; return what its pod wrote."""
    configuration = (sample.folder / "deploymentconfig.json", sample.folder / "inferenceconfig.json")
    service = deploy(
        sample.name,
        source_directory=sample.source,
        entry_script="score.py",
        models=[Model(sample.model_name, model)],
        values={**convert(*configuration, gpu_count=GPUS).values, **NO_DRAIN},
        namespace=namespace,
        cluster=cluster,
        progress=Progress(),
        **image,  # type: ignore[arg-type]  # a framework's name is one of a few words
    )
    try:
        service.wait_for_deployment(show_output=True, timeout_sec=180)
        sample.assert_scored(service.run)
        return service.get_logs()
    finally:
        service.delete()
        service.close()


def train_inside(image: BuiltImage, sample: Sample, outputs: Path) -> None:
    """Run a sample's train.py in a container of an image; the model goes to a folder of this machine."""
    engine = Buildah()
    container = engine._buildah("from", image.reference).strip()
    try:
        engine._buildah(
            "run",
            "--isolation=chroot",
            "--user=0",
            f"--volume={sample.folder}:/sample:ro",
            f"--volume={outputs}:/outputs",
            container,
            *("/opt/gpu-inference/bin/python", "/sample/train.py", "--outputs", "/outputs"),
        )
    finally:
        engine._buildah("rm", container)
