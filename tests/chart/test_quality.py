"""What holds whatever the values: safe pods, stable selectors, no value without use, both Helms alike."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from charts.values.documents import leaves
from tests.chart.kubernetes import check_object
from tests.chart.rendering import (
    CHART,
    HELMS,
    SCENARIOS,
    HelmMajor,
    Object,
    RefusedError,
    Rendered,
    render,
    render_scenario,
    run_helm,
)

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
TEMPLATES = sorted(path for path in (CHART / "templates").rglob("*") if path.is_file())
OF_THE_CLUSTER = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
every_scenario = pytest.mark.parametrize(
    "path", SCENARIOS, ids=lambda path: path.name.removesuffix("-values.yaml")
)


def pods(rendered: Rendered) -> Iterator[Object]:
    for thing in rendered.objects:
        if thing["kind"] == "Pod":
            yield thing
        elif "containers" in thing.get("spec", {}).get("template", {}).get("spec", {}):
            yield thing["spec"]["template"]


@every_scenario
def test_both_helms_render_the_same(path: Any) -> None:
    three, four = (render_scenario(path, helm=helm) for helm in HELMS)
    order = sorted(three.names)
    assert order == sorted(four.names)
    assert [three.one(*name) for name in order] == [four.one(*name) for name in order]


def test_a_render_holds_nothing_random() -> None:
    first, second = (run_helm(4, "template", "mnist", str(CHART)) for _ in range(2))
    assert first == second


@every_scenario
def test_pods_fulfil_the_restricted_pod_security_standard_with_a_read_only_root(path: Any) -> None:
    for pod in pods(render_scenario(path)):
        spec = pod["spec"]
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        allowed = {"configMap", "emptyDir", "image", "persistentVolumeClaim", "projected", "secret"}
        assert all(volume.keys() & allowed for volume in spec.get("volumes", []))
        for container in (*spec.get("initContainers", []), *spec["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@every_scenario
def test_every_object_is_labelled_and_in_the_namespace_of_the_release(path: Any) -> None:
    # All but what the user adds as it is.
    for thing in render_scenario(path, {"extraObjects": []}).objects:
        if thing["kind"] in OF_THE_CLUSTER:
            assert thing["metadata"]["name"].startswith("gpu-inference.default.")
        else:
            assert thing["metadata"]["namespace"] == "default"
        labels = thing["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "gpu-inference"
        assert labels["app.kubernetes.io/instance"] == "mnist"
        assert labels["app.kubernetes.io/component"] in ("scoring", "keys", "test")


def selectors(rendered: Rendered) -> tuple[dict[str, str], dict[str, str]]:
    """Return the Deployment's, and the one that every Service has."""
    services = [thing["spec"]["selector"] for thing in rendered.objects if thing["kind"] == "Service"]
    assert all(selector == services[0] for selector in services)
    return rendered.one("Deployment")["spec"]["selector"]["matchLabels"], services[0]


def test_selectors_do_not_depend_on_values() -> None:
    for path in SCENARIOS:
        assert selectors(render_scenario(path)) == selectors(render())


def test_a_service_finds_its_own_scoring_pods_and_no_other() -> None:
    one, other = render(), render(release="other")
    (wanted, _) = selectors(one)
    found = [
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for rendered in (one, other)
        for pod in pods(rendered)
        if wanted.items() <= pod["metadata"]["labels"].items()
    ]
    assert found == ["scoring"]


def test_names_fit_into_63_characters_for_the_longest_service_name() -> None:
    for kind, name in render(release="a" * 32).names:
        assert len(name) <= 63, kind


@every_scenario
def test_nothing_empty_is_rendered(path: Any) -> None:
    def empty(node: Any, where: str) -> Iterator[str]:
        if node is None or node == {}:
            yield where
        for key, value in (
            node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        ):
            yield from empty(value, f"{where}.{key}")

    # A volume without settings, everything that a selector may find, and a rule that allows everything: empty
    # mappings with a meaning.
    meant = (".emptyDir", ".namespaceSelector", ".podSelector", "NetworkPolicy.spec.egress.0")
    for thing in render_scenario(path).objects:
        assert [where for where in empty(thing, thing["kind"]) if not where.endswith(meant)] == []


def template_text() -> str:
    """Return all templates without their comments."""
    texts = (path.read_text() for path in TEMPLATES)
    return "".join(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL) for text in texts)


def test_every_value_is_used_by_a_template() -> None:
    text = template_text()
    for path, _ in leaves(SCHEMA):
        key = path.rpartition(".")[2]
        # As a field of its section, or by its name where a helper has only the section.
        ways = (
            rf"[$.]{re.escape(path)}\b",
            rf"\$\w+\.{key}\b",
            rf"[$.]source\.{key}\b",
            f'"{key}"',
            rf"[ ()]\.{key}\b",
        )
        assert any(re.search(way, text) for way in ways), path


def test_templates_use_no_value_that_does_not_exist() -> None:
    known = {path for path, _ in leaves(SCHEMA)}
    sections = {path.partition(".")[0] for path in known if "." in path}
    text = template_text()
    used = set(re.findall(r"\.Values\.(\w+(?:\.\w+)*)", text)) - sections
    assert len(used) > 90
    # A section by itself is known too, and what a parent chart says to all its charts.
    known |= {path.rpartition(".")[0] for path in known} | {"global"}
    assert used - known == set()


def test_every_template_begins_by_checking_the_values() -> None:
    rendering = [path for path in TEMPLATES if path.suffix != ".tpl"]
    assert len(rendering) > 20
    for path in rendering:
        assert path.read_text().startswith('{{- include "gpu-inference.values" . -}}\n'), path.name


def test_no_two_template_files_have_the_same_name() -> None:
    assert len({path.name for path in TEMPLATES}) == len(TEMPLATES)


def values_with_all_set_to_null() -> dict[str, Any]:
    """Return each value as null that may be."""
    values: dict[str, Any] = {}
    for path, described in leaves(SCHEMA):
        if "null" in described["type"]:
            section, _, key = path.partition(".")
            values.setdefault(section, {})[key] = None
    return values


@pytest.mark.parametrize("helm", HELMS)
def test_null_means_the_default(helm: HelmMajor) -> None:
    nulls = values_with_all_set_to_null()
    assert len(nulls["deployment"]) == 31
    assert render(nulls, helm=helm).objects == render(helm=helm).objects


@pytest.mark.parametrize("helm", HELMS)
def test_a_whole_section_may_be_null(helm: HelmMajor) -> None:
    # Both Helms take it for the chart's own default.
    nulls = dict.fromkeys(("deployment", "drain", "image", "keys", "nodeSelector", "tolerations"))
    assert render(nulls, helm=helm).objects == render(helm=helm).objects


def defaults(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the values that nobody gives, as the templates fill them in."""
    return {
        key: defaults(described) if "properties" in described else described["default"]
        for key, described in schema["properties"].items()
        if "properties" in described or "default" in described
    }


def test_defaults_in_the_values_file_are_those_of_the_templates() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert values == defaults(json.loads((CHART / "files" / "values.json").read_text()))


def test_values_that_are_comments_can_be_uncommented() -> None:
    text = (CHART / "values.yaml").read_text()
    keys = {path.rpartition(".")[2] for path, described in leaves(SCHEMA) if "default" not in described}
    # A value's own lines, not the sentence about it.
    uncommented = re.sub(rf"^( *)# ((?:{'|'.join(keys)}):.*|  \w+: .*)$", r"\1\2", text, flags=re.MULTILINE)
    values = yaml.safe_load(uncommented)
    assert keys <= values["deployment"].keys()
    values["cluster"]["gpu_count"] = 4
    # There is either a number of pods or an autoscaler.
    of_an_autoscaler = {key for key in values["deployment"] if key.startswith("autoscale_")}
    for unwanted in ({"num_replicas"}, of_an_autoscaler):
        kept = {key: value for key, value in values["deployment"].items() if key not in unwanted}
        render({**values, "deployment": kept})


def test_the_lowest_kubernetes_is_1_30() -> None:
    run_helm(4, "template", "mnist", str(CHART), "--kube-version", "1.30.0-eks-1")
    with pytest.raises(RefusedError, match=r">=1\.30\.0-0"):
        run_helm(4, "template", "mnist", str(CHART), "--kube-version", "1.29.9")


@pytest.mark.parametrize("helm", HELMS)
def test_lint_finds_nothing(helm: HelmMajor) -> None:
    assert "0 chart(s) failed" in run_helm(helm, "lint", "--strict", str(CHART))


def test_an_unknown_field_or_a_variable_given_twice_would_be_noticed() -> None:
    good = render().one("Deployment")
    for spoil in ({"replica": 1}, {"replicas": "1"}):
        bad = copy.deepcopy(good)
        bad["spec"] |= spoil
        with pytest.raises(AssertionError, match=r"v1\.30 refuses"):
            check_object(bad)
    twice = copy.deepcopy(good)
    env = twice["spec"]["template"]["spec"]["containers"][0]["env"]
    env.append(env[0])
    with pytest.raises(AssertionError, match="duplicate entries"):
        check_object(twice)
