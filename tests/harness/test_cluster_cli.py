"""`gpu-inference cluster …` as a person calls it, as far as it goes without a cluster."""

import dataclasses
import json
from pathlib import Path

import pytest

from gpu_inference.cli import main
from gpu_inference.cluster import ClusterStatus
from gpu_inference_testing.commands import described

RUNNING = ClusterStatus(
    provider="embedded",
    name="lab",
    running=True,
    kubeconfig=Path("/state/lab/kubeconfig"),
    kubernetes="v1.37.2",
    node_ready=True,
    gpus=4,
    gpu_product="NVIDIA-A100-SXM4-40GB",
    cpu_overcommitted=True,
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which no cluster of ours is."""
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_status_tells_all_that_matters_of_a_running_cluster() -> None:
    assert described(RUNNING).splitlines() == [
        "cluster:      lab (embedded)",
        "state:        Ready",
        "kubernetes:   v1.37.2",
        "gpus:         4 of NVIDIA-A100-SXM4-40GB",
        "cpu requests: lowered to at most 100m each",
        "kubeconfig:   /state/lab/kubeconfig",
    ]


def test_status_of_a_dead_cluster_says_why() -> None:
    status = ClusterStatus.not_running("embedded", "lab", "etcd exited with 2.")
    assert described(status).splitlines()[1:] == [
        "state:        not running",
        "problem:      etcd exited with 2.",
    ]


def test_status_fails_when_the_cluster_is_not_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "status", "--name", "never"]) == 1
    assert "not running" in capsys.readouterr().out


def test_status_as_json_has_each_field_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "status", "--name", "never", "--output", "json"]) == 1
    status = json.loads(capsys.readouterr().out)
    assert set(status) == {field.name for field in dataclasses.fields(ClusterStatus)}
    assert (status["name"], status["running"], status["kubeconfig"]) == ("never", False, None)


def test_kubeconfig_of_a_cluster_that_is_not_up_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "kubeconfig", "--name", "never"]) == 1
    assert "'never' is not running" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["down"], ["down", "--all"]])
def test_down_says_when_there_is_nothing_to_remove(
    words: list[str], state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", *words]) == 0
    assert "There is no" in capsys.readouterr().err
    assert not state.exists()


def test_all_is_refused_for_clusters_that_are_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "down", "--all", "--provider", "kind"]) == 1
    assert "--all is for embedded clusters" in capsys.readouterr().err


def test_image_file_is_looked_at_before_the_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", "load-image", str(tmp_path / "missing.tar")]) == 1
    assert "missing.tar is not an archive" in capsys.readouterr().err


def test_an_image_that_is_nowhere_is_named_with_what_lists_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cluster", "load-image", "nowhere-at-all:1"]) == 1
    said = capsys.readouterr().err
    assert "There is no file and no image nowhere-at-all:1 on this machine." in said
    assert "gpu-inference image list" in said


def test_option_of_another_provider_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "up", "--provider", "kind", "--no-cpu-overcommit"]) == 1
    assert "cpu_overcommit belongs to the provider 'embedded'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["up", "--gpus", "many"], ["set-gpus"], ["up", "--provider", "minikube"]])
def test_call_that_makes_no_sense_shows_the_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["cluster", *words])
    assert caught.value.code == 2
    assert "Usage: gpu-inference cluster" in capsys.readouterr().err
