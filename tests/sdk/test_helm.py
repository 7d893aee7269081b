"""Helm is driven with the words of its version, keys stay out of its arguments, its errors are sentences.

The command lines are seen by a program that stands in for Helm and writes down how it is called; what the
chart refuses is said by the real Helm 3 and 4.
"""

import json
import sys
from pathlib import Path
from typing import Literal

import pytest

from gpu_inference import clients
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm, error_message
from gpu_inference.process import ProgramError
from gpu_inference.resources import chart_directory

CHART = Path("chart")
SECRET = "the-primary-key"
RECORDER = f"""#!{sys.executable} -IS
import json, pathlib, sys
home = pathlib.Path(__file__).parent
words = sys.argv[1:]
if words[0] == "version":
    print((home / "version").read_text())
    sys.exit()
stdin = sys.stdin.read() if "--values=-" in words else None
with (home / "calls").open("a") as calls:
    calls.write(json.dumps([words, stdin]) + "\\n")
answer = home / words[0]
if answer.exists():
    text = answer.read_text()
    if text.startswith("Error"):
        sys.exit(text)
    print(text)
"""


class Recorder:
    """The stand-in for Helm."""

    def __init__(self, home: Path, version: str) -> None:
        self.home = home
        self.program = home / "helm"
        self.program.write_text(RECORDER)
        self.program.chmod(0o755)
        (home / "version").write_text(version)

    def answer(self, command: str, text: str) -> None:
        (self.home / command).write_text(text)

    def last_call(self) -> tuple[list[str], str | None]:
        words, stdin = json.loads((self.home / "calls").read_text().splitlines()[-1])
        return words, stdin


@pytest.fixture
def helm_3(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, "v3.17.2+gcc0bbbd")


@pytest.fixture
def helm_4(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, "v4.3.1+g1234567")


def test_values_reach_helm_through_its_standard_input_alone(helm_4: Recorder) -> None:
    Helm(helm_4.program).upgrade("abc", CHART, {"deployment": {"primary_key": SECRET}})
    words, stdin = helm_4.last_call()
    assert words[:4] == ["upgrade", "abc", "chart", "--namespace=default"]
    assert {"--install", "--create-namespace", "--values=-"} <= set(words)
    assert SECRET not in " ".join(words)
    assert stdin == f"deployment:\n  primary_key: {SECRET}\n"


@pytest.mark.parametrize("verb", ["create", "patch"])
def test_who_may_not_make_namespaces_gets_a_try_in_the_one_that_is_there(helm_3: Recorder, verb: str) -> None:
    # What Helm 3 and Helm 4 want to do.
    helm_3.answer(
        "upgrade", f'Error: forbidden: User "me" cannot {verb} resource "namespaces" in API group ""'
    )
    with pytest.raises(GpuInferenceError, match=f"cannot {verb}"):
        Helm(helm_3.program).upgrade("abc", CHART, {})
    calls = [json.loads(line)[0] for line in (helm_3.home / "calls").read_text().splitlines()]
    assert ["--create-namespace" in words for words in calls] == [True, False]


def test_an_upgrade_returns_without_waiting_unless_told(helm_4: Recorder) -> None:
    Helm(helm_4.program).upgrade("abc", CHART, {})
    assert not {"--wait", "--rollback-on-failure"} & set(helm_4.last_call()[0])
    Helm(helm_4.program).upgrade("abc", CHART, {}, wait=True, timeout_seconds=90)
    assert {"--wait", "--timeout=90s"} <= set(helm_4.last_call()[0])


def test_helm_3_undoes_a_failed_upgrade_with_its_own_flag(helm_3: Recorder) -> None:
    Helm(helm_3.program).upgrade("abc", CHART, {}, rollback_on_failure=True)
    assert "--atomic" in helm_3.last_call()[0]


def test_helm_4_undoes_a_failed_upgrade_with_its_own_flag(helm_4: Recorder) -> None:
    Helm(helm_4.program).upgrade("abc", CHART, {}, rollback_on_failure=True)
    assert "--rollback-on-failure" in helm_4.last_call()[0]


def test_the_schema_can_be_left_out(helm_4: Recorder) -> None:
    Helm(helm_4.program).upgrade("abc", CHART, {}, skip_schema_validation=True)
    assert "--skip-schema-validation" in helm_4.last_call()[0]


@pytest.mark.parametrize(
    ("fields", "forced"),
    [
        ('1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas', True),
        ('1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.paused', False),
        ('2 conflicts: conflict with "kubectl-edit" using apps/v1:\n- .spec.paused\n- .spec.replicas', False),
    ],
    ids=["the number of pods", "another field", "more than that"],
)
def test_only_about_the_number_of_pods_do_values_win_over_whoever_changed_it(
    helm_4: Recorder, fields: str, forced: bool
) -> None:
    helm_4.answer("upgrade", f"Error: UPGRADE FAILED: conflict: Apply failed with {fields}")
    with pytest.raises(GpuInferenceError, match="Apply failed"):
        Helm(helm_4.program).upgrade("abc", CHART, {})
    assert ("--force-conflicts" in helm_4.last_call()[0]) is forced


def test_the_cluster_and_context_are_named_in_every_call(helm_4: Recorder, tmp_path: Path) -> None:
    Helm(helm_4.program, kubeconfig=tmp_path / "config", context="mine").uninstall("abc", namespace="n")
    words, _ = helm_4.last_call()
    assert {f"--kubeconfig={tmp_path / 'config'}", "--kube-context=mine", "--namespace=n"} <= set(words)


def test_an_uninstallation_keeps_the_deployment_visible_until_its_pods_have_ended(helm_4: Recorder) -> None:
    assert Helm(helm_4.program).uninstall("abc") is True
    assert "--cascade=foreground" in helm_4.last_call()[0]


def test_a_release_that_is_not_there_is_told_and_not_raised(helm_4: Recorder) -> None:
    helm_4.answer("uninstall", "Error: uninstall: Release not loaded: abc: release: not found")
    assert Helm(helm_4.program).uninstall("abc") is False


def test_another_failure_of_an_uninstallation_is_raised(helm_4: Recorder) -> None:
    helm_4.answer("uninstall", "Error: timed out waiting for the condition")
    with pytest.raises(GpuInferenceError, match="Helm: timed out waiting"):
        Helm(helm_4.program).uninstall("abc")


def test_a_release_without_values_of_the_user_has_none(helm_4: Recorder) -> None:
    helm_4.answer("get", "null")
    assert Helm(helm_4.program).values("abc") == {}


@pytest.mark.parametrize("version", ["v3.17.2+gcc0bbbd", "v4.3.1+g1234567"])
def test_a_release_in_any_state_is_found(tmp_path: Path, version: str) -> None:
    recorder = Recorder(tmp_path, version)
    recorder.answer(
        "list",
        '[{"name":"abc","namespace":"default","revision":"2","status":"failed","chart":"gpu-inference-0.1.0"}]',
    )
    release = Helm(recorder.program).release("abc")
    assert release is not None
    assert (release.revision, release.status) == (2, "failed")
    # Helm 4 shows them all by itself, and has no such flag.
    assert ("--all" in recorder.last_call()[0]) == version.startswith("v3")


def test_another_release_is_none(helm_4: Recorder) -> None:
    helm_4.answer("list", "[]")
    assert Helm(helm_4.program).release("abc") is None


@pytest.mark.parametrize("version", ["v2.17.0", "v5.0.0", "something else"])
def test_a_program_that_is_not_helm_3_or_4_is_refused(tmp_path: Path, version: str) -> None:
    recorder = Recorder(tmp_path, version)
    with pytest.raises(GpuInferenceError, match=r"is not Helm 3 or 4: its version is"):
        Helm(recorder.program)


def test_a_helm_on_path_comes_before_the_pinned_one(
    helm_3: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(helm_3.home))
    assert Helm().program == helm_3.program


def test_the_error_is_helms_sentence_without_what_surrounds_it() -> None:
    said = (
        "WARNING: Kubernetes configuration file is group-readable.\n"
        "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s)\n"
        "- at '/deployment/num_replicas': maximum: got 5, want 4\n"
        "helm.go:92: 2026-01-01 [debug] values don't meet\n"
        "goroutine 1 [running]:\n"
    )
    assert error_message(said) == (
        "Helm: UPGRADE FAILED: values don't meet the specifications of the schema(s)\n"
        "- at '/deployment/num_replicas': maximum: got 5, want 4"
    )


def test_a_failure_without_a_sentence_shows_all_that_was_said() -> None:
    assert error_message("Killed") == "Helm failed: Killed"
    assert error_message("") == "Helm failed without a message."


@pytest.mark.parametrize("major", [3, 4])
def test_values_over_the_cap_are_refused_with_the_field_and_its_limit(major: Literal[3, 4]) -> None:
    helm = Helm(clients.helm(major))
    values = {"deployment": {"num_replicas": 5}, "cluster": {"gpu_count": 4}}
    with pytest.raises(ProgramError, match=r"Helm: .*\n(.*\n)*.*num_replicas.*\b4\b"):
        helm.template("abc", chart_directory(), values)


@pytest.mark.parametrize("major", [3, 4])
def test_the_templates_sentences_replace_those_of_the_schema(major: Literal[3, 4]) -> None:
    helm = Helm(clients.helm(major))
    values = {"deployment": {"cpu_core": 1}, "image": {"pullPolicy": "Sometimes"}}
    with pytest.raises(ProgramError) as refused:
        helm.template("abc", chart_directory(), values)
    assert str(refused.value).splitlines() == [
        "Helm: These values cannot be deployed:",
        "- deployment.cpu_core is not a value of this chart (did you mean cpu_cores?).",
        "- image.pullPolicy must be one of Always, IfNotPresent, Never.",
    ]


@pytest.mark.parametrize("major", [3, 4])
def test_values_that_fit_give_the_services_objects(major: Literal[3, 4]) -> None:
    manifests = Helm(clients.helm(major)).template("abc", chart_directory(), {}, namespace="n")
    assert "kind: Deployment\n" in manifests


@pytest.mark.parametrize("major", [3, 4])
def test_a_cluster_that_does_not_answer_is_said_in_a_sentence(
    major: Literal[3, 4], dead_cluster: Path
) -> None:
    helm = Helm(clients.helm(major), kubeconfig=dead_cluster)
    with pytest.raises(ProgramError, match=r"^Helm: [Kk]ubernetes cluster unreachable: .*refused"):
        helm.upgrade("abc", chart_directory(), {})


@pytest.fixture
def dead_cluster(tmp_path: Path) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "dead",
        "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "nobody"}}],
        "clusters": [{"name": "dead", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "nobody", "user": {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    return path
