"""PyTorch's own wheel, as locked for FRAMEWORK=torch-gpu: installed here, it trains and scores the sample.

It brings gigabytes of CUDA libraries, which is why `make test` does without it; no GPU is needed.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.model_samples import TORCH
from tests.runtime.server_process import Server

RUNTIME = Path(__file__).parents[2] / "runtime"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment as the Dockerfile makes it."""
    folder = tmp_path_factory.mktemp("torch") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    interpreter = folder / "bin" / "python"
    locks = [
        f"--requirement={RUNTIME / name}" for name in ("requirements.lock", "requirements-torch-gpu.lock")
    ]
    subprocess.run(
        [interpreter, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--require-hashes", *locks],
        check=True,
    )
    [packages] = folder.glob("lib/python3.*/site-packages")
    (packages / "gpu_inference_runtime.pth").write_text(f"{RUNTIME / 'src'}\n")
    return interpreter


@pytest.fixture(scope="module")
def model(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TORCH.train(tmp_path_factory.mktemp("outputs"), python=python)


@pytest.fixture
def server(python: Path, model: Path, tmp_path: Path) -> Iterator[Server]:
    settings = TORCH.lay_out(model, tmp_path / "app")
    server = Server(tmp_path, None, (), settings, python=python)
    yield server
    server.end()


def test_the_wheels_torch_scores_a_module_that_it_pickled_whole(server: Server) -> None:
    server.wait_ready()
    TORCH.assert_scored(lambda body: server.score(body).json())
    assert "PyTorch 2.15.0" in server.log


def test_where_the_user_wants_weights_alone_the_whole_module_is_refused_and_the_log_says_so(
    python: Path, model: Path, tmp_path: Path
) -> None:
    settings = TORCH.lay_out(model, tmp_path / "app") | {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
    server = Server(tmp_path, None, (), settings, python=python)
    try:
        assert server.wait_for_exit() == 3
        assert "weights_only" in server.log
    finally:
        server.end()
