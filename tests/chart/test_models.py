"""Models and code: whatever the source, the pod sees v1's layout."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.rendering import (
    CHART,
    Object,
    RefusedError,
    Rendered,
    mistakes_in,
    notes,
    render,
)

ROOT = "/var/azureml-app/azureml-models"
SHA256 = hashlib.sha256(b"").hexdigest()
NEWEST = "1.37"


def model(**more: Any) -> Object:
    return {"name": "net", "version": 4, **more}


def claim(**more: Any) -> Object:
    return {"persistentVolumeClaim": {"claimName": "models", "subPath": "net/4/model", **more}}


def download(**more: Any) -> Object:
    return {"download": {"url": "https://example.com/net.pkl", "sha256": SHA256, **more}}


def mounts(rendered: Rendered) -> dict[str, Object]:
    """Return the mounts below the app root."""
    found = {mount["mountPath"]: mount for mount in rendered.container["volumeMounts"]}
    return {path: mount for path, mount in found.items() if path.startswith("/var/azureml-app/")}


def volume(rendered: Rendered, name: str) -> Object:
    (found,) = (volume for volume in rendered.pod["volumes"] if volume["name"] == name)
    return {key: value for key, value in found.items() if key != "name"}


def init_container(rendered: Rendered) -> Object:
    (found,) = rendered.pod["initContainers"]
    return dict(found)


def azureml_env(rendered: Rendered) -> dict[str, Any]:
    return {name: value for name, value in rendered.env.items() if name.startswith(("AML_", "AZUREML_"))}


def test_without_models_and_script_the_image_says_what_is_where() -> None:
    rendered = render()
    assert azureml_env(rendered) == {}
    assert mounts(rendered) == {}
    assert "initContainers" not in rendered.pod


def test_a_model_and_a_script_in_the_image_are_only_named() -> None:
    rendered = render({"models": [model(version=0)], "inference": {"entryScript": "a/score.py"}})
    assert azureml_env(rendered) == {
        "AML_APP_ROOT": "/var/azureml-app",
        "AZUREML_MODEL_DIR": f"{ROOT}/net/0",
        "AZUREML_SOURCE_DIRECTORY": "src",
        "AZUREML_ENTRY_SCRIPT": "src/a/score.py",
    }
    assert mounts(rendered) == {}
    assert "initContainers" not in rendered.pod


def test_of_several_models_the_folder_of_all_is_named() -> None:
    rendered = render({"models": [model(), {"name": "other"}]})
    assert azureml_env(rendered) == {"AML_APP_ROOT": "/var/azureml-app", "AZUREML_MODEL_DIR": ROOT}


def test_a_model_image_comes_from_the_global_registry() -> None:
    values = {
        "global": {"imageRegistry": "mirror.example.com"},
        "models": [
            model(image={"reference": "team/net:4", "subPath": "files/model", "pullPolicy": "Always"}),
            {"name": "whole", "entry": "saved", "image": {"reference": "team/whole:1"}},
            {"name": "single", "image": {"reference": "team/single:1"}},
        ],
        "inference": {"entryScript": "score.py", "image": {"reference": "team/code:2"}},
    }
    rendered = render(values, kubernetes=NEWEST)
    assert mounts(rendered) == {
        f"{ROOT}/net/4/model": {
            "name": "model-0",
            "mountPath": f"{ROOT}/net/4/model",
            "subPath": "files/model",
            "readOnly": True,
        },
        f"{ROOT}/whole/1/saved": {
            "name": "model-1",
            "mountPath": f"{ROOT}/whole/1/saved",
            "readOnly": True,
        },
        f"{ROOT}/single/1": {"name": "model-2", "mountPath": f"{ROOT}/single/1", "readOnly": True},
        "/var/azureml-app/src": {"name": "code", "mountPath": "/var/azureml-app/src", "readOnly": True},
    }
    assert volume(rendered, "model-0") == {
        "image": {"reference": "mirror.example.com/team/net:4", "pullPolicy": "Always"}
    }
    assert volume(rendered, "code")["image"]["reference"] == "mirror.example.com/team/code:2"


def test_an_image_as_a_volume_is_refused_where_kubernetes_has_none() -> None:
    values = {"models": [model(image={"reference": "team/net:4", "subPath": "model"})]}
    with pytest.raises(RefusedError) as refused:
        render(values, kubernetes="1.34.2")
    assert refused.value.mistakes == [
        "models[0].image needs Kubernetes 1.35 or newer, which mounts images as volumes; this is v1.34.2."
        " Take another source."
    ]
    render(values, kubernetes="1.35.0")


def test_of_a_volume_only_the_one_entry_is_mounted_read_only() -> None:
    rendered = render({"models": [model(**claim())]})
    ((path, mount),) = mounts(rendered).items()
    assert path == f"{ROOT}/net/4/model"
    assert mount["subPath"] == "net/4/model"
    assert mount["readOnly"]
    assert volume(rendered, mount["name"]) == {
        "persistentVolumeClaim": {"claimName": "models", "readOnly": True}
    }


def test_a_claim_with_models_and_code_is_one_volume() -> None:
    values = {
        "models": [model(**claim()), model(name="b", entry="x", **claim(subPath="b.pkl"))],
        "inference": {"entryScript": "score.py", "sourceDirectory": "code", **claim(subPath="src")},
    }
    rendered = render(values)
    assert set(mounts(rendered)) == {f"{ROOT}/net/4/model", f"{ROOT}/b/4/x", "/var/azureml-app/code"}
    assert [each for each in rendered.pod["volumes"] if "persistentVolumeClaim" in each] == [
        {
            "name": mounts(rendered)["/var/azureml-app/code"]["name"],
            "persistentVolumeClaim": {"claimName": "models", "readOnly": True},
        }
    ]


def test_without_blobfuse_a_model_is_copied_before_the_start() -> None:
    values = {
        "deployment": {"blobfuse_enabled": False},
        "models": [model(**claim())],
        "inference": {"entryScript": "score.py", **claim(subPath="src")},
    }
    rendered = render(values)
    container = init_container(rendered)
    assert container["name"] == "copy-model-0"
    assert "--source=/from/model" in container["command"]
    reads = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert reads["/from/model"]["subPath"] == "net/4/model"
    assert mounts(rendered)[f"{ROOT}/net/4"] == {
        "name": reads["/into"]["name"],
        "mountPath": f"{ROOT}/net/4",
        "subPath": "content",
        "readOnly": True,
    }
    assert volume(rendered, reads["/into"]["name"]) == {"emptyDir": {}}
    # v1's parameter is about models.
    assert mounts(rendered)["/var/azureml-app/src"]["subPath"] == "src"


def test_without_blobfuse_other_sources_are_as_they_were() -> None:
    values: Object = {"models": [model(configMap={"name": "small", "keys": ["a"]})]}
    slow = {**values, "deployment": {"blobfuse_enabled": False}}
    assert render(slow).pod == render(values).pod
    said = "deployment.blobfuse_enabled: false has no effect"
    assert said in notes(slow)
    assert said not in notes(values)
    assert said not in notes({"deployment": {"blobfuse_enabled": False}, "models": [model(**claim())]})


def test_an_init_container_fetches_a_download() -> None:
    more = {"sizeLimitGi": 0.5, "timeoutSeconds": 90, "archive": "zip", "caConfigMap": "company-ca"}
    proxy = {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}
    values = {
        "models": [model(entry="folder", **download(**more))],
        "extraEnv": [proxy, {"name": "PRIVATE", "value": "for the script alone"}],
    }
    rendered = render(values)
    container = init_container(rendered)
    assert container["name"] == "fetch-model-0"
    assert container["command"][2:] == [
        "/etc/gpu-inference/model-scripts/fetch.py",
        "--what=Model net, version 4,",
        "--into=/into",
        "--url=https://example.com/net.pkl",
        f"--sha256={SHA256}",
        "--most-bytes=536870912",
        "--timeout-seconds=90",
        "--entry=folder",
        "--archive=zip",
        "--ca-file=/etc/gpu-inference/ca/ca.crt",
    ]
    assert container["env"] == [proxy]
    assert container["image"] == rendered.container["image"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    # The archive and what is in it lie there side by side.
    assert volume(rendered, "model-0") == {"emptyDir": {"sizeLimit": "1Gi"}}
    assert volume(rendered, "model-0-ca")["configMap"]["name"] == "company-ca"
    assert mounts(rendered)[f"{ROOT}/net/4"]["subPath"] == "content"


def test_a_url_that_is_a_credential_comes_from_a_secret_alone() -> None:
    values = {"models": [model(entry="net.pkl", **download(url="", existingSecret="presigned"))]}
    container = init_container(render(values))
    assert not any(argument.startswith("--url") for argument in container["command"])
    assert container["env"] == [
        {"name": "FETCH_URL", "valueFrom": {"secretKeyRef": {"name": "presigned", "key": "url"}}},
        {
            "name": "FETCH_HEADERS",
            "valueFrom": {"secretKeyRef": {"name": "presigned", "key": "headers", "optional": True}},
        },
    ]


def test_headers_for_a_url_of_the_values_must_be_in_the_secret() -> None:
    container = init_container(render({"models": [model(**download(existingSecret="token"))]}))
    assert container["env"] == [
        {"name": "FETCH_HEADERS", "valueFrom": {"secretKeyRef": {"name": "token", "key": "headers"}}}
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@example.com/net.pkl",
        "https://account.blob.core.windows.net/models/net.pkl?sv=2026&sig=abc",
        "https://bucket.s3.amazonaws.com/net.pkl?X-Amz-Signature=abc",
        "https://example.com/net.pkl?access_token=abc",
    ],
)
def test_a_url_with_a_credential_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render({"models": [model(**download(url=url))]})
    (mistake,) = refused.value.mistakes
    assert mistake.startswith("models[0].download.url seems to carry a credential")
    assert "abc" not in mistake
    assert "secret@" not in mistake


def test_code_from_a_url_is_a_script_or_an_archive() -> None:
    inference = {"entryScript": "package/score.py", **download(url="https://example.com/any")}
    rendered = render({"inference": inference})
    assert init_container(rendered)["command"][-2:] == ["--entry=src", "--file=package/score.py"]
    assert mounts(rendered)["/var/azureml-app/src"]["subPath"] == "content/src"
    inference = {"entryScript": "score.py", **download(archive="tar")}
    assert init_container(render({"inference": inference}))["command"][-2:] == [
        "--entry=src",
        "--archive=tar",
    ]


def test_pods_may_reach_the_ports_that_downloads_come_from() -> None:
    models = [
        model(name=str(number), entry="x", **download(url=url, existingSecret="s" if not url else ""))
        for number, url in enumerate(
            ["https://a.example.com/x", "http://b/x", "http://c:8080/x", "https://[fd00::1]:8443/x", ""]
        )
    ]
    closed = {"networkPolicy": {"allowExternalEgress": False}}
    egress = render({"models": models} | closed).one("NetworkPolicy", "mnist")["spec"]["egress"]
    ports = [{port["port"] for port in rule["ports"]} for rule in egress]
    assert {443, 80, 8080, 8443} in ports
    egress = render({"models": [model(**claim())]} | closed).one("NetworkPolicy", "mnist")["spec"]["egress"]
    assert [{port["port"] for port in rule["ports"]} for rule in egress] == [{53}]


def test_a_rollout_waits_for_all_that_is_fetched_or_copied() -> None:
    values = {
        "deployment": {"blobfuse_enabled": False},
        "models": [model(**claim()), model(name="b", **download(timeoutSeconds=5000))],
        "inference": {"entryScript": "score.py", **download(timeoutSeconds=70)},
    }
    deadline = render(values).one("Deployment")["spec"]["progressDeadlineSeconds"]
    bare = render({}).one("Deployment")["spec"]["progressDeadlineSeconds"]
    assert deadline - bare == 600 + 5000 + 70


def test_keys_of_a_config_map_are_plain_files() -> None:
    values = {
        "models": [
            model(configMap={"name": "small", "keys": ["net.json"]}),
            model(name="b", entry="folder", configMap={"name": "small", "keys": ["a", "b.txt"]}),
        ],
        "inference": {"entryScript": "score.py", "configMap": {"name": "code", "keys": ["score.py", "a.py"]}},
    }
    rendered = render(values)
    assert {path: mount["subPath"] for path, mount in mounts(rendered).items()} == {
        f"{ROOT}/net/4/net.json": "net.json",
        f"{ROOT}/b/4/folder/a": "a",
        f"{ROOT}/b/4/folder/b.txt": "b.txt",
        "/var/azureml-app/src/score.py": "score.py",
        "/var/azureml-app/src/a.py": "a.py",
    }


SCRIPT = 'def init():\n\tpass\r\n# "é" {{ .Values }} \\n \u2028 %s\n\n'


def test_files_of_the_values_arrive_byte_for_byte() -> None:
    files = {"score.py": SCRIPT, "package/deep/helper.py": "", "a.b": "12"}
    rendered = render({"inference": {"entryScript": "score.py", "files": files}})
    data = rendered.one("ConfigMap", "mnist-code")["data"]
    seen = {path: data[mount["subPath"]] for path, mount in mounts(rendered).items()}
    assert seen == {f"/var/azureml-app/src/{path}": text for path, text in files.items()}
    assert volume(rendered, "code") == {"configMap": {"name": "mnist-code"}}


def test_pods_are_replaced_only_when_a_file_changes() -> None:
    def annotations(text: str, **more: Any) -> Any:
        values = {"inference": {"entryScript": "score.py", "files": {"score.py": text}}, **more}
        return render(values).one("Deployment")["spec"]["template"]["metadata"]["annotations"]

    first = annotations("a")
    assert annotations("a", deployment={"description": "else"}) == first
    assert annotations("b").keys() == first.keys()
    assert annotations("b") != first
    assert annotations("a", podAnnotations={"mine": "x"}) == {**first, "mine": "x"}


def test_the_init_containers_scripts_are_the_charts_own() -> None:
    data = render({"models": [model(**download())]}).one("ConfigMap", "mnist-model-scripts")["data"]
    scripts = {path.name: path.read_text() for path in (CHART / "files" / "models").glob("*.py")}
    assert data.keys() == scripts.keys() >= {"fetch.py", "copy_model.py"}
    assert {name: text.strip() for name, text in data.items()} == {
        name: text.strip() for name, text in scripts.items()
    }


@pytest.mark.parametrize(
    ("mode", "single_node", "surge"),
    [
        ("ReadOnlyMany", False, 1),
        ("ReadWriteMany", False, 1),
        ("ReadWriteOnce", False, 0),
        ("ReadWriteOnce", True, 1),
        ("ReadWriteOncePod", True, 0),
    ],
)
def test_a_rollout_adds_no_pod_that_could_not_mount_the_volume(
    mode: str, single_node: bool, surge: int
) -> None:
    values = {
        "deployment": {"gpu_cores": 0},
        "models": [model(**claim(accessMode=mode, singleNode=single_node))],
    }
    strategy = render(values).one("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": surge, "maxUnavailable": 1 - surge}


@pytest.mark.parametrize("deployment", [{"num_replicas": 2}, {"autoscale_enabled": True}])
def test_a_one_node_volume_is_refused_for_pods_of_several_nodes(
    deployment: Object,
) -> None:
    def values(**more: Any) -> Object:
        return {
            "deployment": {"gpu_cores": 0, **deployment},
            "models": [model(**claim(accessMode="ReadWriteOnce", **more))],
        }

    with pytest.raises(RefusedError) as refused:
        render(values())
    (mistake,) = refused.value.mistakes
    assert "ReadWriteOnce, so that one node at a time can mount the volume" in mistake
    assert "set singleNode to true" in mistake
    render(values(singleNode=True))


def test_wrong_kinds_give_sentences_without_the_schema() -> None:
    values = {
        "models": ["net", {"name": "a", "version": "1"}, {"name": "b", "image": "team/b:1"}, {"version": 1}],
        "inference": {"files": "score.py", "download": {"sizeLimitGi": "1", "timeoutSeconds": 1.5}},
    }
    with pytest.raises(RefusedError) as refused:
        render(values, skip_schema=True)
    assert refused.value.mistakes == [
        "inference.download.sizeLimitGi must be a number.",
        "inference.download.timeoutSeconds must be a whole number, at most 2147483647.",
        "inference.files must be a mapping.",
        "models[0] must be a mapping.",
        "models[1].version must be a whole number, at most 2147483647.",
        "models[2].image must be a mapping.",
        "models[3].name is missing.",
    ]


@pytest.mark.parametrize("sub_path", ["/absolute", "../up", "a/../b", "a//b", "a/", "a:b", "."])
def test_a_path_that_leaves_its_volume_is_refused(sub_path: str) -> None:
    with pytest.raises(RefusedError, match="subPath"):
        render({"models": [model(**claim(subPath=sub_path))]})


def test_the_readme_has_an_example_for_each_source() -> None:
    section = (CHART / "README.md").read_text().partition("## Models and code\n")[2].partition("\n## ")[0]
    examples = [yaml.safe_load(block.partition("```")[0]) for block in section.split("```yaml\n")[1:]]
    kinds = {"image", "persistentVolumeClaim", "download", "configMap"}
    given: set[str] = set()
    for values in examples:
        assert mistakes_in(values, kubernetes=NEWEST) == []
        for each in (values.get("inference", {}), *values.get("models", [])):
            given |= each.keys() & kinds
    assert given == kinds
    for values in examples:
        render(values, kubernetes=NEWEST)


def test_the_rendered_command_is_one_that_the_script_takes(tmp_path: Path) -> None:
    # What it says about a URL that leads nowhere is said after all its options were understood.
    url = "http://127.0.0.1:9/net.tar"
    values = {"models": [model(entry="a b", **download(url=url, archive="tar", timeoutSeconds=1))]}
    command = init_container(render(values))["command"]
    assert command[:2] == ["/opt/gpu-inference/bin/python", "-Es"]
    ran = run_here(command, tmp_path)
    assert ran.returncode == 1
    assert f"Model net, version 4, was not fetched. {url} did not arrive in time" in ran.stderr


def run_here(command: list[str], into: Path) -> "subprocess.CompletedProcess[str]":
    """Run a rendered command with this Python, the checkout's script, and a folder as the volume."""
    script = CHART / "files" / "models" / Path(command[2]).name
    options = [option.replace("--into=/into", f"--into={into}") for option in command[3:]]
    return subprocess.run([sys.executable, "-Es", script, *options], capture_output=True, text=True)
