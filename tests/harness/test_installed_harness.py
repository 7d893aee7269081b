"""What `pip install` of the harness brings along, and where it keeps its files."""

import sys
import zipfile
from pathlib import Path

import pytest

from gpu_inference.paths import cache_directory, state_directory
from gpu_inference.process import run
from gpu_inference.resources import chart_directory, runtime_directory

HARNESS = Path(__file__).parents[2] / "harness"


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=HARNESS)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _tracked(folder: Path) -> set[str]:
    listed = run(["git", "ls-files", "-z", "--cached", "."], cwd=folder)
    return {name for name in listed.split("\0") if name and (folder / name).is_file()}


def test_the_wheel_carries_the_whole_chart(wheel_names: set[str]) -> None:
    chart = {f"gpu_inference/_resources/chart/{name}" for name in _tracked(chart_directory())}
    assert "gpu_inference/_resources/chart/Chart.yaml" in chart
    assert chart <= wheel_names


def test_the_wheel_carries_the_runtimes_build_context(wheel_names: set[str]) -> None:
    needed = {name for name in _tracked(runtime_directory()) if not name.endswith(".in")}
    assert "Dockerfile" in needed
    assert {f"gpu_inference/_resources/runtime/{name}" for name in needed} <= wheel_names


def test_the_wheel_carries_every_file_of_the_package(wheel_names: set[str]) -> None:
    assert {name.removeprefix("src/") for name in _tracked(HARNESS) if name.startswith("src/")} <= wheel_names


def test_a_checkout_finds_its_own_chart_and_dockerfile() -> None:
    assert (chart_directory() / "Chart.yaml").is_file()
    assert (runtime_directory() / "Dockerfile").is_file()


def test_the_cache_folder_follows_its_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("GPU_INFERENCE_CACHE_DIR", raising=False)
    assert cache_directory() == tmp_path / "gpu-inference"
    monkeypatch.setenv("GPU_INFERENCE_CACHE_DIR", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"


def test_the_state_folder_follows_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(tmp_path))
    assert state_directory() == tmp_path
