"""What users add: labels, volumes, containers, objects and the like; and the chart as a part of another."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.rendering import (
    CHART,
    HELMS,
    SCENARIOS,
    HelmMajor,
    Object,
    RefusedError,
    Rendered,
    mistakes_in,
    render,
    render_scenario,
    scenario,
)

EVERYWHERE = {
    "keys": {"existingSecret": ""},
    "ingress": {"enabled": True},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    "metrics": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "grafanaDashboard": {"enabled": True},
    },
    "cluster": {"quota": {"gpus": 4}, "admission_policy": True},
    "networkPolicy": {"jobEgress": [{}]},
}
USERS = ("extraVolumes", "initContainers", "extraContainers")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def templates(rendered: Rendered) -> list[Object]:
    """Return the pod templates of all workloads."""
    return [thing["spec"]["template"] for thing in rendered.objects if "template" in thing.get("spec", {})]


def selectors(rendered: Rendered) -> list[Any]:
    found = [rendered.one("Deployment")["spec"]["selector"], rendered.one("NetworkPolicy", "mnist")["spec"]]
    services = [thing for thing in rendered.objects if thing["kind"] == "Service"]
    return [found[0], found[1]["podSelector"], *(thing["spec"]["selector"] for thing in services)]


def test_common_labels_and_annotations_are_on_every_object() -> None:
    common = {"commonLabels": {"cost-centre": "7"}, "commonAnnotations": {"contact": "me"}}
    for path in SCENARIOS:
        rendered = render_scenario(path, common | {"extraObjects": []})
        for thing in rendered.objects:
            assert thing["metadata"]["labels"]["cost-centre"] == "7", (path.name, thing["kind"])
            assert thing["metadata"]["annotations"]["contact"] == "me", (path.name, thing["kind"])
        for template in templates(rendered):
            assert template["metadata"]["labels"]["cost-centre"] == "7", path.name
            assert "contact" not in template["metadata"].get("annotations", {}), path.name


def test_labels_of_users_never_become_selectors() -> None:
    # vLLM production-stack's selectors come from values, so that changing one makes upgrades fail.
    labels = {"commonLabels": {"a": "b"}, "podLabels": {"c": "d"}, "service": {"labels": {"e": "f"}}}
    assert selectors(render(EVERYWHERE | labels)) == selectors(render(EVERYWHERE))


def test_of_two_labels_of_a_name_the_closer_one_counts() -> None:
    rendered = render(
        {"commonLabels": {"a": "far"}, "podLabels": {"a": "near"}, "service": {"labels": {"a": "near"}}}
    )
    pod = rendered.one("Deployment")["spec"]["template"]["metadata"]
    assert pod["labels"]["a"] == "near"
    assert rendered.one("Service")["metadata"]["labels"]["a"] == "near"
    assert rendered.one("Deployment")["metadata"]["labels"]["a"] == "far"


def test_the_deployments_annotations_are_added_to_the_charts() -> None:
    values = {"deploymentAnnotations": {"a": "b"}, "deployment": {"description": "Digits"}}
    annotations = render(values).one("Deployment")["metadata"]["annotations"]
    assert annotations["a"] == "b"
    assert annotations["gpu-inference/description"] == "Digits"


def test_volumes_and_mounts_are_added() -> None:
    volume = {"name": "cache", "persistentVolumeClaim": {"claimName": "cache"}}
    mount = {"name": "cache", "mountPath": "/cache", "readOnly": True}
    rendered = render({"extraVolumes": [volume], "extraVolumeMounts": [mount]})
    assert volume in rendered.pod["volumes"]
    assert mount in rendered.container["volumeMounts"]


def test_containers_and_sidecars_are_added_as_restricted() -> None:
    sidecar = {"name": "proxy", "image": "team/proxy:1", "restartPolicy": "Always"}
    own = {"name": "own", "image": "team/own:1", "securityContext": {"privileged": False}}
    pod = render({"initContainers": [sidecar], "extraContainers": [own]}).pod
    assert pod["initContainers"][0] == sidecar | {"securityContext": RESTRICTED}
    assert [container["name"] for container in pod["containers"]] == ["scoring", "own"]
    assert pod["containers"][1] == own


def test_the_users_containers_come_from_the_global_registry_too() -> None:
    values = {
        "global": {"imageRegistry": "mirror.example.com"},
        "initContainers": [{"name": "a", "image": "ghcr.io/team/a:1"}],
        "extraContainers": [{"name": "b", "image": "team/b@sha256:" + "0" * 64}],
    }
    pod = render(values).pod
    assert pod["initContainers"][0]["image"] == "mirror.example.com/team/a:1"
    assert pod["containers"][1]["image"] == "mirror.example.com/team/b@sha256:" + "0" * 64


def test_objects_are_added_as_mappings_and_as_templates() -> None:
    as_mapping = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "{{ .Release.Name }}-one"},
        "data": {"service": '{{ include "gpu-inference.serviceName" . }}', "port": "80"},
    }
    as_text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-two\n"
    rendered = render({"extraObjects": [as_mapping, as_text]})
    assert rendered.one("ConfigMap", "mnist-one")["data"] == {"service": "mnist", "port": "80"}
    assert rendered.one("Secret", "mnist-two")["metadata"] == {"name": "mnist-two"}


def test_security_contexts_are_completed_and_replaced_in_all_pods() -> None:
    values = {
        "podSecurityContext": {"fsGroup": 2000, "runAsUser": 1000},
        "securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
    }
    for template in templates(render(values)):
        assert template["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "fsGroup": 2000,
            "runAsUser": 1000,
        }
        capabilities = template["spec"]["containers"][0]["securityContext"]["capabilities"]
        assert capabilities == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}


def test_pods_leave_user_and_group_to_openshift() -> None:
    for values in (
        {},
        {
            "openshift": True,
            "podSecurityContext": {"fsGroup": 2000, "runAsUser": 1000, "seLinuxOptions": {"level": "s0"}},
            "securityContext": {"runAsUser": 1000, "runAsGroup": 0},
        },
    ):
        for template in templates(render(values)):
            spec = template["spec"]
            assert spec["securityContext"].keys() == {"runAsNonRoot", "seccompProfile"}
            assert all(container["securityContext"] == RESTRICTED for container in spec["containers"])


def test_on_openshift_the_pods_reach_its_dns_pods() -> None:
    closed = {"networkPolicy": {"allowExternalEgress": False}}
    (rule,) = render({"openshift": True} | closed).one("NetworkPolicy")["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == {53, 5353}


def test_the_charts_own_names_and_paths_are_refused_to_users() -> None:
    for path in SCENARIOS:
        given, pod = scenario(path), render_scenario(path).pod
        users = {thing["name"] for key in USERS for thing in given.get(key, [])}
        volumes = {volume["name"] for volume in pod["volumes"]} - users
        containers = {each["name"] for each in (*pod["containers"], *pod.get("initContainers", []))} - users
        # Where models and code lie only the values say.
        paths = {
            mount["mountPath"]
            for mount in pod["containers"][0]["volumeMounts"]
            if mount["name"] not in users and not mount["mountPath"].startswith("/var/azureml-app/")
        }
        mistakes = mistakes_in(
            {
                "extraVolumes": [{"name": name, "emptyDir": {}} for name in sorted(volumes)],
                "extraVolumeMounts": [{"name": "mine", "mountPath": path} for path in sorted(paths)],
                "extraContainers": [{"name": name, "image": "x"} for name in sorted(containers)],
            }
        )
        for what, names in (("name", volumes | containers), ("path", paths)):
            for name in names:
                sentence = f"must not use the {what} {name}: "
                assert any(sentence in mistake for mistake in mistakes), (path.name, name)


def test_a_mount_where_the_code_lies_is_refused_with_a_sentence() -> None:
    values = {
        "inference": {"entryScript": "score.py", "files": {"score.py": "def init(): pass"}},
        "extraVolumes": [{"name": "a", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "a", "mountPath": "/var/azureml-app/src/score.py"}],
    }
    with pytest.raises(RefusedError) as refused:
        render(values)
    assert refused.value.mistakes == [
        "extraVolumeMounts must not use the path /var/azureml-app/src/score.py: it is the chart's own."
    ]


def parent(folder: Path, aliases: list[str]) -> Path:
    """Return a chart that has this one as a part, once for each alias; none is its own name."""
    dependency = {"name": "gpu-inference", "version": ">=0.0.0-0", "repository": ""}
    dependencies = [dependency | ({"alias": alias} if alias else {}) for alias in aliases]
    for number, entry in enumerate(dependencies):
        entry["condition"] = f"{aliases[number] or 'gpu-inference'}.enabled"
    metadata = {"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": dependencies}
    folder.mkdir()
    (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    shutil.copytree(CHART, folder / "charts" / "gpu-inference")
    return folder


@pytest.mark.parametrize("helm", HELMS)
def test_as_a_part_of_another_chart_it_renders_what_it_does_alone(tmp_path: Path, helm: HelmMajor) -> None:
    values = {"gpu-inference": {"enabled": True, "deployment": {"gpu_cores": 0}}, "global": {"other": 1}}
    alone = render({"deployment": {"gpu_cores": 0}}, release="shop", helm=helm)
    inside = render(values, release="shop", helm=helm, chart=parent(tmp_path / "shop", [""]))
    assert sorted(inside.names) == sorted(alone.names)
    assert all(inside.one(*name) == alone.one(*name) for name in alone.names)


@pytest.mark.parametrize("helm", HELMS)
def test_a_parents_condition_leaves_it_out(tmp_path: Path, helm: HelmMajor) -> None:
    values = {"gpu-inference": {"enabled": False}}
    assert render(values, release="shop", helm=helm, chart=parent(tmp_path / "shop", [""])).objects == ()


@pytest.mark.parametrize("helm", HELMS)
def test_two_of_it_in_one_parent_do_not_touch_each_other(tmp_path: Path, helm: HelmMajor) -> None:
    values = {"speech": {"fullnameOverride": "spoken"}, "global": {"imageRegistry": "mirror.example.com"}}
    rendered = render(
        values, release="shop", helm=helm, chart=parent(tmp_path / "shop", ["digits", "speech"])
    )
    assert len(rendered.names) == len(rendered.objects)
    deployments = {
        thing["metadata"]["name"]: thing["spec"]
        for thing in rendered.objects
        if thing["kind"] == "Deployment"
    }
    assert deployments.keys() == {"shop-digits", "spoken"}
    for thing in rendered.objects:
        if thing["kind"] not in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
            continue
        selector = thing["spec"].get("podSelector") or thing["spec"]["selector"]
        wanted = selector.get("matchLabels", selector).items()
        labels = {name: spec["template"]["metadata"]["labels"] for name, spec in deployments.items()}
        assert [name for name in labels if wanted <= labels[name].items()] == [thing["metadata"]["name"]]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes must not use the name tmp"),
        ({"commonLabels": {"helm.sh/chart": "x"}}, "commonLabels must not set helm.sh/chart"),
        ({"extraObjects": [1]}, "extraObjects must be a list of objects"),
        ({"extraVolumes": [{"emptyDir": {}}]}, "name"),
        ({"extraContainers": [{"name": "x"}]}, "image"),
    ],
)
@pytest.mark.parametrize("helm", HELMS)
def test_a_mistake_is_told_in_one_line(values: dict[str, Any], sentence: str, helm: HelmMajor) -> None:
    with pytest.raises(RefusedError) as refused:
        render(values, helm=helm)
    (mistake,) = refused.value.mistakes
    assert sentence in mistake
