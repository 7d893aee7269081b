"""Which cluster a command means, from the most explicit to the least."""

import os
from pathlib import Path

import pytest

from gpu_inference.cluster.kubeconfig import find_kubeconfig
from gpu_inference.errors import GpuInferenceError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, on a machine where no embedded cluster runs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_named_file_comes_before_the_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(file(home / "variable")))
    assert find_kubeconfig(file(home / "named")) == home / "named"


def test_variable_comes_before_the_users_own_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(home / ".kube" / "config")
    monkeypatch.setenv("KUBECONFIG", str(file(home / "variable")))
    assert find_kubeconfig() == home / "variable"


def test_users_own_file_is_the_last_resort(home: Path) -> None:
    own = file(home / ".kube" / "config")
    assert find_kubeconfig() == own


@pytest.mark.usefixtures("home")
def test_without_any_cluster_one_is_told_how_to_get_one() -> None:
    with pytest.raises(GpuInferenceError, match=r"No cluster was found.*\n  .*gpu-inference cluster up"):
        find_kubeconfig()


def test_named_file_that_is_missing_is_not_replaced_by_another(home: Path) -> None:
    file(home / ".kube" / "config")
    with pytest.raises(GpuInferenceError, match="named does not exist"):
        find_kubeconfig(home / "named")


def test_variable_with_a_missing_file_is_not_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(home / ".kube" / "config")
    monkeypatch.setenv("KUBECONFIG", str(home / "gone"))
    with pytest.raises(GpuInferenceError, match=r"The file in KUBECONFIG, .*gone does not exist"):
        find_kubeconfig()


def test_variable_with_several_files_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(file(home / "a")), str(file(home / "b"))]))
    with pytest.raises(GpuInferenceError, match=r"contains 2 files, but only one.*\n  .*--flatten"):
        find_kubeconfig()
