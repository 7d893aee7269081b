"""What `pip install ./sdk ./harness` brings along, in an environment of its own."""

import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.installed import ROOT, environment, outside, tracked, wheel_of

from gpu_inference import __version__
from gpu_inference.process import run

HARNESS = ROOT / "harness"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [wheel_of(ROOT / name, tmp_path_factory.mktemp(name)) for name in ("harness", "sdk")]


@pytest.fixture(scope="module")
def programs(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the SDK and the harness."""
    return environment(tmp_path_factory.mktemp("both") / "venv", HARNESS / "requirements.lock", wheels)


def test_the_wheel_carries_every_file_of_the_package(wheels: list[Path]) -> None:
    with zipfile.ZipFile(wheels[0]) as archive:
        names = set(archive.namelist())
    there = {name.removeprefix("src/") for name in tracked(HARNESS) if name.startswith("src/")}
    assert "gpu_inference_testing/toolchain/go/kubernetes/go.mod" in there
    assert there <= names


def test_the_harness_asks_for_the_sdk_of_its_own_version(programs: Path) -> None:
    asked = "from importlib.metadata import *; d = distribution('gpu-inference-testing'); "
    said = run([programs / "python", "-c", f"{asked}print(d.version, *d.requires)"])
    version, *required = said.split()
    assert version == __version__
    assert f"gpu-inference=={__version__}" in required


def test_with_the_harness_the_cluster_commands_are_there(programs: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [programs / "gpu-inference", "cluster", "status", "--name", "never"],
        env=outside(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[0] == "cluster:      never (embedded)"


def test_somebody_elses_tests_have_the_plugins_fixtures(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(cluster, chart):\n"
        "    assert cluster.name == 'kubeconfig'\n"
        "    assert (chart / 'Chart.yaml').is_file()\n"
    )
    words: list[str | Path] = [programs / "python", "-m", "pytest", "-q", "--kubeconfig", "dev.yaml"]
    assert "1 passed" in run(words, env=outside(tmp_path), cwd=tmp_path)
