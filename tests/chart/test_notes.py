"""What a person reads after the installation: commands that fit this release, and what to know about it."""

import shutil
from pathlib import Path

import yaml
from tests.chart.rendering import CHART, notes, run_helm

READY = {
    "deployment": {"num_replicas": 2},
    "cluster": {"gpu_count": 3},
    "image": {"repository": "team/digits", "tag": "1"},
}


def test_they_tell_how_to_wait_read_a_key_and_score() -> None:
    text = notes(READY)
    assert "The service mnist runs in 2 pods, each with 1 of nvidia.com/gpu." in text
    assert "kubectl --namespace default rollout status deployment/mnist" in text
    assert "get secret mnist-keys --output jsonpath='{.data.primaryKey}'" in text
    assert "http://mnist.default/api/v1/service/mnist/score" in text
    assert '--header "Authorization: Bearer $KEY"' in text
    assert "helm test mnist --namespace default --logs" in text


def test_the_notes_read_the_key_from_the_users_secret() -> None:
    text = notes({**READY, "keys": {"existingSecret": "mine", "primaryKeyName": "api.key"}})
    assert "get secret mine --output jsonpath='{.data.api\\.key}'" in text
    assert "(api.key or secondaryKey)" in text


def test_a_service_without_surprises_only_hears_about_pending_pods() -> None:
    (note,) = (line for line in notes(READY).splitlines() if line.startswith("- "))
    assert note.startswith("- Pods stay Pending until a node offers 1 of nvidia.com/gpu;")


def test_a_bare_install_hears_about_all_that_it_lacks() -> None:
    text = notes()
    assert "each upgrade interrupts the service; cluster.gpu_count 2 would prevent that" in text
    assert "so that the number of pods is fixed: set autoscale_enabled to true" in text
    assert "built-in script only echoes" in text


def test_the_notes_tell_a_cpu_service_nothing_about_gpus() -> None:
    text = notes({"deployment": {"gpu_cores": 0, "num_replicas": 1}})
    assert "in 1 pod, on CPU." in text
    assert "compute on CPU, which is slower" in text
    assert "Pending" not in text
    assert "interrupts" not in text


def test_a_service_without_keys_is_told_so_and_shown_none() -> None:
    text = notes({"deployment": {"auth_enabled": False}})
    assert "whoever reaches it can use it" in text
    assert "Authorization" not in text


def test_given_keys_are_warned_about_and_not_printed() -> None:
    text = notes({"deployment": {"primary_key": "hunter22"}})
    assert "can be read by whoever can read the release's values" in text
    assert "hunter22" not in text


def test_parameters_without_effect_are_named() -> None:
    text = notes({"deployment": {"compute_target_name": "my-aks", "blobfuse_enabled": False}})
    assert "compute_target_name has no effect" in text
    assert "blobfuse_enabled: false has no effect" in text


def test_helm_3_renders_the_same(tmp_path: Path) -> None:
    # As a template of its own, because Helm 3 renders notes for a reachable cluster alone.
    copy = tmp_path / "gpu-inference"
    shutil.copytree(CHART, copy)
    shutil.move(copy / "templates" / "NOTES.txt", copy / "files" / "NOTES.txt")
    (copy / "templates" / "notes.yaml").write_text(
        'notes: {{ tpl (.Files.Get "files/NOTES.txt") . | quote }}'
    )
    rendered = run_helm(3, "template", "mnist", str(copy), "--show-only", "templates/notes.yaml")
    assert yaml.safe_load(rendered)["notes"].strip() == notes().strip()
