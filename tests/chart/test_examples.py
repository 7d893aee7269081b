"""The example values files: each installs with both Helms and does what its first line says."""

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from tests.chart.rendering import CHART, HELMS, HelmMajor, Rendered, render_scenario, run_helm

EXAMPLES = sorted((CHART / "examples").iterdir())
README = (CHART / "README.md").read_text()


def _example(name: str, helm: HelmMajor = 4) -> Rendered:
    return render_scenario(CHART / "examples" / name, helm=helm)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("helm", HELMS)
def test_it_is_rendered_to_valid_objects(example: Path, helm: HelmMajor) -> None:
    image = _example(example.name, helm).container["image"]
    assert image.startswith("registry.example.com/team/")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("helm", HELMS)
def test_helm_lint_finds_nothing_wrong(example: Path, helm: HelmMajor) -> None:
    flags = ("--strict", "--quiet", "--kube-version", "1.37.0", "--values", str(example))
    assert run_helm(helm, "lint", str(CHART), *flags) == ""


def test_the_readme_says_one_sentence_about_each() -> None:
    linked = re.findall(r"^\| \[[^]]+\]\(examples/(\S+)\) \| (.*) \|$", README, re.MULTILINE)
    assert sorted(name for name, _ in linked) == [example.name for example in EXAMPLES]
    assert [text for _, text in linked if not text.endswith(".") or ". " in text] == []


def test_they_are_part_of_the_package(tmp_path: Path) -> None:
    run_helm(4, "package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as archive:
        names = {name for name in archive.getnames() if "/examples/" in name}
    assert names == {f"gpu-inference/examples/{example.name}" for example in EXAMPLES}


def _gpus(rendered: Rendered) -> int:
    return int(rendered.container["resources"].get("limits", {}).get("nvidia.com/gpu", 0))


def _volumes(rendered: Rendered) -> dict[str, Any]:
    return {kind: volume for volume in rendered.pod["volumes"] for kind in volume.keys() - {"name"}}


def test_gpu_asks_for_one_gpu_in_each_of_three_pods() -> None:
    rendered = _example("gpu.yaml")
    assert (_gpus(rendered), rendered.one("Deployment")["spec"]["replicas"]) == (1, 3)
    assert "NVIDIA-A100-SXM4-40GB" in json.dumps(rendered.pod["affinity"])


def test_cpu_asks_for_no_gpu() -> None:
    rendered = _example("cpu.yaml")
    assert (_gpus(rendered), rendered.one("Deployment")["spec"]["replicas"]) == (0, 2)


def test_autoscaled_is_scaled_by_keda_within_its_pool() -> None:
    spec = _example("autoscaled.yaml").one("ScaledObject")["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 8)


def test_own_keys_reads_the_secret_and_makes_none() -> None:
    rendered = _example("own-keys.yaml")
    assert "mnist-api-keys" in json.dumps(rendered.pod["volumes"])
    assert not [name for kind, name in rendered.names if kind in ("Secret", "Job")]


def test_model_from_url_fetches_model_and_code() -> None:
    commands = json.dumps(
        [container["command"] for container in _example("model-from-url.yaml").pod["initContainers"]]
    )
    assert "https://models.example.com/mnist-2.tar.gz" in commands
    assert "mnist-code" in json.dumps(_example("model-from-url.yaml").pod)


def test_model_from_pvc_mounts_the_claim() -> None:
    rendered = _example("model-from-pvc.yaml")
    assert _volumes(rendered)["persistentVolumeClaim"]["persistentVolumeClaim"]["claimName"] == "models"
    assert "def run(raw_data)" in json.dumps(rendered.objects)


def test_model_from_image_mounts_both_images() -> None:
    volumes = [
        volume["image"]["reference"]
        for volume in _example("model-from-image.yaml").pod["volumes"]
        if "image" in volume
    ]
    assert sorted(volumes) == [
        "registry.example.com/team/mnist-code:7",
        "registry.example.com/team/tf-dnn-mnist:2",
    ]
