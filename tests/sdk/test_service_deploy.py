"""A deployment that cannot succeed ends before an image is built or a cluster is changed.

The cluster of these tests does not answer, and nothing on PATH builds images: a deployment that went on past
its checks would fail with another error than the one expected.
"""

from pathlib import Path
from typing import Any

import pytest

from gpu_inference import clients
from gpu_inference.cli import main
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import Model
from gpu_inference.service import Service, deploy


@pytest.fixture
def given(tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `deploy` takes, all of it right but for the cluster."""
    helm = clients.helm(4)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    source = tmp_path / "src"
    source.mkdir()
    (source / "score.py").write_text("def init(): pass\ndef run(data): return data\n")
    return {
        "source_directory": source,
        "entry_script": "score.py",
        "kubeconfig": kubeconfig,
        "push": "registry.example/team/abc",
        "helm": helm,
    }


def test_a_wrong_name_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(GpuInferenceError, match="provided service name is invalid"):
        deploy("No_Name", **given)


def test_a_script_that_could_not_run_is_refused(given: dict[str, Any]) -> None:
    (given["source_directory"] / "score.py").write_text("def init(): pass\n")
    with pytest.raises(GpuInferenceError, match=r"defines no run\(\)"):
        deploy("abc", **given)


@pytest.mark.parametrize("absent", ["source_directory", "entry_script"])
def test_a_service_without_script_and_image_is_refused(given: dict[str, Any], absent: str) -> None:
    del given[absent]
    with pytest.raises(GpuInferenceError, match="or --image IMAGE"):
        deploy("abc", **given)


def test_an_image_beside_a_script_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(GpuInferenceError, match="give one or the other"):
        deploy("abc", **given, image="registry.example/team/abc:1")


@pytest.mark.parametrize("image", ["", "a b", "registry.example/:1", "abc:1:2", "abc@sha256:12"])
def test_what_is_not_the_name_of_an_image_is_refused(given: dict[str, Any], image: str) -> None:
    with pytest.raises(GpuInferenceError, match="is not a valid name of an image"):
        deploy("abc", image=image, kubeconfig=given["kubeconfig"], helm=given["helm"])


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"deployment": {"num_replica": 3}}, "num_replica"),
        ({"deployment": {"num_replicas": "three"}}, "num_replicas"),
        ({"deployment": {"num_replicas": 5}, "cluster": {"gpu_count": 4}}, r"num_replicas.*\b4\b"),
    ],
)
def test_values_that_do_not_fit_the_chart_are_refused(
    given: dict[str, Any], values: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(GpuInferenceError, match=rf"Helm: (.*\n)*.*{complaint}"):
        deploy("abc", **given, values=values)


def test_a_cluster_that_images_cannot_be_loaded_into_needs_a_registry_or_an_image(
    given: dict[str, Any],
) -> None:
    del given["push"]
    with pytest.raises(
        GpuInferenceError, match=r"cannot be loaded into .*dead\.kubeconfig.*\n.*--push .* --image"
    ):
        deploy("abc", **given)


@pytest.mark.parametrize("change", [{}, {"image": "registry.example/team/abc@sha256:" + "a" * 64}])
def test_a_cluster_that_does_not_answer_is_named(given: dict[str, Any], change: dict[str, Any]) -> None:
    if change:
        for name in ("source_directory", "entry_script", "push"):
            del given[name]
    with pytest.raises(GpuInferenceError, match=r"The cluster of .*dead\.kubeconfig does not answer: "):
        deploy("abc", **given, **change)


def test_a_model_that_is_not_there_is_refused(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"The path of model .* does not exist"):
        deploy("abc", **given, models=[Model("m", tmp_path / "gone")])


def test_a_service_on_a_cluster_that_does_not_answer_says_so(kubeconfig: Path) -> None:
    with pytest.raises(GpuInferenceError, match="does not answer"):
        Service("abc", kubeconfig=kubeconfig).run("{}")


def test_an_update_of_nothing_is_refused_in_v1s_words(kubeconfig: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"^No parameters provided to update\.$"):
        Service("abc", kubeconfig=kubeconfig).update({})


def test_the_command_ends_with_a_sentence_and_status_1(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "deploy",
        "--name",
        "abc",
        "--source",
        str(given["source_directory"]),
        "--entry-script",
        "gone.py",
    ]
    assert main([*words, "--kubeconfig", str(given["kubeconfig"]), "--helm", str(given["helm"])]) == 1
    assert capsys.readouterr().err.startswith("gpu-inference: The entry script gone.py does not exist in ")


def test_an_inference_configuration_alone_is_refused(
    given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["deploy", "--name", "abc", "--inference-config", str(tmp_path / "inferenceconfig.json")]
    assert main([*words, "--helm", str(given["helm"])]) == 1
    assert "without --deployment-config" in capsys.readouterr().err


def test_a_request_body_that_is_not_there_is_named(
    kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "abc", "--data", "@gone.json", "--kubeconfig", str(kubeconfig)]) == 1
    assert "The file gone.json cannot be read" in capsys.readouterr().err
