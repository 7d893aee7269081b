"""What holds whatever the values: safe pods, stable selectors, no value without use, both Helms alike."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from charts.values.documents import leaves
from charts.values.schema import described_values, variables
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


def pods(rendered: Rendered) -> Iterator[Object]:
    for thing in rendered.objects:
        if thing["kind"] == "Pod":
            yield thing
        elif "containers" in thing.get("spec", {}).get("template", {}).get("spec", {}):
            yield thing["spec"]["template"]


def test_both_helms_render_the_same() -> None:
    # Every value, in all combinations that exclude each other, is compared in test_everything.py.
    for path in SCENARIOS:
        three, four = (render_scenario(path, helm=helm) for helm in HELMS)
        assert three.by_name == four.by_name, path.name


def test_a_render_holds_nothing_random() -> None:
    first, second = (run_helm(4, "template", "mnist", str(CHART)) for _ in range(2))
    assert first == second


def test_pods_are_restricted_and_their_root_is_read_only() -> None:
    allowed = {"configMap", "emptyDir", "image", "persistentVolumeClaim", "projected", "secret"}
    specs = {path.name: [*pods(render_scenario(path))] for path in SCENARIOS}
    for case, spec in ((case, pod["spec"]) for case, several in specs.items() for pod in several):
        seccomp = {"type": "RuntimeDefault"}
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": seccomp}, case
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), case
        assert all(volume.keys() & allowed for volume in spec.get("volumes", [])), case
        for container in (*spec.get("initContainers", []), *spec["containers"]):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (case, container["name"])


def test_every_object_has_the_charts_labels_and_the_namespace() -> None:
    # All but what the user adds as it is.
    renders = {path.name: render_scenario(path, {"extraObjects": []}) for path in SCENARIOS}
    for case, thing in ((case, thing) for case, found in renders.items() for thing in found.objects):
        metadata = thing["metadata"]
        if thing["kind"] in OF_THE_CLUSTER:
            assert metadata["name"].startswith("gpu-inference.default."), case
        else:
            assert metadata["namespace"] == "default", (case, thing["kind"])
        labels = metadata["labels"]
        assert labels["app.kubernetes.io/name"] == "gpu-inference", (case, thing["kind"])
        assert labels["app.kubernetes.io/instance"] == "mnist", (case, thing["kind"])
        assert labels["app.kubernetes.io/component"] in ("scoring", "keys", "test"), (case, thing["kind"])


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


def empty(node: Any, where: str) -> Iterator[str]:
    """Yield the places in an object that hold null or an empty mapping."""
    if node is None or node == {}:
        yield where
    for key, value in (
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    ):
        yield from empty(value, f"{where}.{key}")


def test_nothing_empty_is_rendered() -> None:
    # A volume without settings, everything that a selector may find, and a rule that allows everything: empty
    # mappings with a meaning.
    meant = (".emptyDir", ".namespaceSelector", ".podSelector", "NetworkPolicy.spec.egress.0")
    for path in SCENARIOS:
        for thing in render_scenario(path).objects:
            found = [where for where in empty(thing, thing["kind"]) if not where.endswith(meant)]
            assert found == [], path.name


def template_text() -> str:
    """Return all templates without their comments."""
    texts = (path.read_text() for path in TEMPLATES)
    return "".join(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL) for text in texts)


def test_every_value_is_used_by_a_template() -> None:
    text = template_text()
    by_variable = {".".join(each["path"]) for each in variables(described_values())}
    for path, _ in leaves(SCHEMA):
        if path in by_variable:
            continue
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
    assert {"priorityClassName", "deployment.num_replicas"} <= used
    # A section by itself is known too, and what a parent chart says to all its charts.
    known |= {path.rpartition(".")[0] for path in known} | {"global"}
    assert used - known == set()


def test_every_template_begins_by_checking_the_values() -> None:
    rendering = [path for path in TEMPLATES if path.suffix != ".tpl"]
    assert CHART / "templates" / "scoring" / "deployment.yaml" in rendering
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
    assert nulls["deployment"].keys() == SCHEMA["properties"]["deployment"]["properties"].keys()
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
