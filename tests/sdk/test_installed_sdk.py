"""What `pip install ./sdk` brings along, and that it works where nothing else of ours is installed."""

import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.installed import ROOT, environment, outside, tracked, wheel_of

from gpu_inference.paths import cache_directory, state_directory
from gpu_inference.process import run
from gpu_inference.resources import chart_directory, runtime_directory

SDK = ROOT / "sdk"
SAMPLE = ROOT / "model-samples" / "mnist-tf"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(SDK, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the SDK and without the harness."""
    return environment(tmp_path_factory.mktemp("sdk") / "venv", SDK / "requirements.lock", [wheel])


def gpu_inference(programs: Path, home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [programs / "gpu-inference", *words],
        env={**outside(home), "PATH": "/usr/bin:/bin"},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_carries_the_whole_chart(wheel_names: set[str]) -> None:
    chart = {f"gpu_inference/_resources/chart/{name}" for name in tracked(chart_directory())}
    assert "gpu_inference/_resources/chart/Chart.yaml" in chart
    assert chart <= wheel_names


def test_the_wheel_carries_the_runtimes_build_context(wheel_names: set[str]) -> None:
    needed = {name for name in tracked(runtime_directory()) if not name.endswith(".in")}
    assert "Dockerfile" in needed
    assert {f"gpu_inference/_resources/runtime/{name}" for name in needed} <= wheel_names


def test_the_wheel_carries_every_file_of_the_package(wheel_names: set[str]) -> None:
    assert {name.removeprefix("src/") for name in tracked(SDK) if name.startswith("src/")} <= wheel_names


def test_the_installed_sdk_converts_with_its_own_frameworks(programs: Path, tmp_path: Path) -> None:
    done = gpu_inference(programs, tmp_path, "convert", str(SAMPLE / "deploymentconfig.json"))
    assert (done.returncode, "num_replicas: 3" in done.stdout) == (0, True)
    said = run(
        [programs / "python", "-c", "from gpu_inference.image import FRAMEWORKS; print(*FRAMEWORKS)"],
        env=outside(tmp_path),
    )
    locks = sorted(path.stem for path in runtime_directory().glob("requirements-*.lock"))
    assert said.split() == ["none", *(name.removeprefix("requirements-") for name in locks)]


@pytest.mark.parametrize("words", [["cluster"], ["cluster", "up", "--gpus", "4"], ["cluster", "--help"]])
def test_without_the_harness_cluster_says_how_to_install_it(
    programs: Path, tmp_path: Path, words: list[str]
) -> None:
    done = gpu_inference(programs, tmp_path, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "gpu-inference: The commands `gpu-inference cluster` are not installed here.\n"
        "  Install them: pip install gpu-inference-testing (from a checkout: pip install ./harness)\n"
    )


def test_without_the_harness_its_providers_are_not_there(programs: Path, tmp_path: Path) -> None:
    opened = "from gpu_inference.cluster import open_cluster; open_cluster('embedded')"
    with pytest.raises(
        Exception, match=r"no cluster provider 'embedded'\. Available providers: kubeconfig.*\n.*\./harness"
    ):
        run([programs / "python", "-c", opened], env=outside(tmp_path))


def test_without_the_harness_deploy_goes_to_the_users_own_cluster(
    programs: Path, tmp_path: Path, kubeconfig: Path
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(kubeconfig.read_text())
    done = gpu_inference(programs, tmp_path, "state", "abc")
    assert done.returncode == 1
    assert f"The cluster of {tmp_path}/.kube/config does not answer" in done.stderr


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
