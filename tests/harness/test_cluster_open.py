"""Opening clusters, and what stops the embedded one before it changes anything."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_inference.cluster import open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.gpus import set_gpus
from gpu_inference_testing.toolchain import go_command


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "state"
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(folder))
    monkeypatch.setenv("GPU_INFERENCE_CACHE_DIR", str(tmp_path / "cache"))
    yield folder
    # Should a test fail because its cluster comes up after all.
    open_cluster("embedded", "refused").down()


def refused(state: Path) -> str:
    """Return why a cluster does not come up, having made sure that nothing was made."""
    with pytest.raises(GpuInferenceError) as caught:
        open_cluster("embedded", "refused").up()
    assert not state.exists()
    assert not (state.parent / "cache").exists()
    return str(caught.value)


def test_other_systems_are_told_what_works_there(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "runs on Linux" in refused(state)


def test_user_who_is_not_root_is_told_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in refused(state)


def test_machine_without_go_is_told_how_to_get_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setattr(go_command, "_DEFAULT_FOLDER", "/nonexistent")
    assert "Go is not installed" in refused(state)


@pytest.mark.parametrize("name", ["", "Lab", "1st", "lab-", "with space", "sixteen-letters-", "../lab"])
@pytest.mark.usefixtures("state")
def test_name_that_no_interface_can_have_is_refused(name: str) -> None:
    with pytest.raises(GpuInferenceError, match="is not valid"):
        open_cluster("embedded", name)


@pytest.mark.usefixtures("state")
def test_longest_name_that_an_interface_can_have_is_accepted() -> None:
    assert open_cluster("embedded", "fifteen-letters").name == "fifteen-letters"


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("embedded", {"kubeconfig": Path("x")}),
        ("kind", {"cpu_overcommit": False}),
        ("kubeconfig", {"address_range": "10.77.0.0/16"}),
        ("kind", {"simulate_gpus": True}),
    ],
)
def test_option_of_another_provider_is_refused(provider: Any, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(GpuInferenceError, match=f"The option {name} belongs to the provider"):
        open_cluster(provider, **options)


def test_unknown_provider_is_refused() -> None:
    minikube: Any = "minikube"
    with pytest.raises(GpuInferenceError, match="no cluster provider 'minikube'"):
        open_cluster(minikube)


@pytest.mark.usefixtures("state")
def test_cluster_that_was_never_up_is_not_running_and_has_no_problem() -> None:
    status = open_cluster("embedded", "never").status()
    assert not status.running
    assert status.problem is None


def test_removing_what_is_not_there_changes_nothing(state: Path) -> None:
    open_cluster("embedded", "never").down()
    assert not state.exists()


@pytest.mark.usefixtures("state")
def test_using_a_cluster_that_is_not_up_says_how_to_bring_it_up() -> None:
    with pytest.raises(GpuInferenceError, match=r"'never' is not running\.\n  .*cluster up --name never"):
        set_gpus(open_cluster("embedded", "never"), 1)
