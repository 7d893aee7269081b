"""A service that keeps its old environment, on the cluster: Debian 11's Python beside the runtime's own.

The image is made as docs/old-environment.md says, and its model is one that no scikit-learn of today loads.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.conftest import NO_DRAIN
from tests.old_environment import old_python
from tests.old_service import MODEL, OldService, old_service

from gpu_inference.cluster import Cluster
from gpu_inference.image import BuiltImage, Model
from gpu_inference.image.debian_base import debian_base
from gpu_inference.image.engine import Buildah, as_built_image
from gpu_inference.paths import cache_directory
from gpu_inference.progress import Progress
from gpu_inference.service import Service, deploy

DOCKERFILE = """\
FROM {base}
COPY . /opt/old-environment
ENV GPU_INFERENCE_SCRIPT_PYTHON=/opt/old-environment/python
"""
ON_CPU = {"deployment": {"gpu_cores": 0}, **NO_DRAIN}


@pytest.fixture(scope="module")
def python() -> Path:
    return old_python(cache_directory(), Progress())


@pytest.fixture(scope="module")
def image(python: Path, tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    """A base image with the old environment; the runtime is then installed on it."""
    return old_base(python, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def old(python: Path, tmp_path_factory: pytest.TempPathFactory) -> OldService:
    return old_service(python, tmp_path_factory.mktemp("service"))


@pytest.fixture
def service(old: OldService, image: BuiltImage, cluster: Cluster, namespace: str) -> Iterator[Service]:
    service = deploy(
        "old-forest",
        source_directory=old.source,
        entry_script="score.py",
        models=[Model(MODEL, old.model)],
        values=ON_CPU,
        namespace=namespace,
        cluster=cluster,
        base_image=image.reference,
        progress=Progress(),
    )
    yield service
    service.delete()
    service.close()


def old_base(python: Path, folder: Path) -> BuiltImage:
    engine, progress = Buildah(), Progress()
    base = debian_base(engine, progress)
    environment = python.parent
    text = DOCKERFILE.format(base=base.reference)
    # The folder's name is a digest of how it was made.
    key = hashlib.sha256("\0".join([text, base.image_id, environment.name]).encode()).hexdigest()
    reference = f"localhost/gpu-inference-old-environment:{key[:12]}"
    stored = engine.find(reference)
    if stored is None:
        (folder / "Dockerfile").write_text(text)
        with progress.step("Image with the old environment"):
            stored = engine.build(reference, environment, dockerfile=folder / "Dockerfile", content=key)
    return as_built_image(stored, engine)


def test_a_service_with_its_old_environment_is_scored_on_the_cluster(
    service: Service, old: OldService
) -> None:
    service.wait_for_deployment(show_output=True, timeout_sec=180)
    assert service.run(old.body) == old.predictions
    log = service.get_logs()
    assert "Python 3.9.2 scikit-learn 0.23.2" in log
    assert "patients: 5" in log
