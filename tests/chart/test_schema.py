"""The generated schema: closed, self-contained, one line for each mistake, the same with Helm 3 and 4."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from charts.values.__main__ import generated_files, main
from charts.values.documents import leaves, with_table
from tests.chart.rendering import CHART, HELMS, HelmMajor, RefusedError, mistakes_in, render

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
FREE_FORM = {
    "global",
    "affinity",
    "tolerations[]",
    "extraEnv[].valueFrom",
    "dataCollection.volume",
    "topologySpreadConstraints[].labelSelector",
    "extraVolumes[]",
    "extraVolumeMounts[]",
    "initContainers[]",
    "extraContainers[]",
    "podSecurityContext",
    "securityContext",
    "httpRoute.parentRefs[]",
    "httpRoute.filters[]",
    "metrics.podMonitor.relabelings[]",
    "metrics.serviceMonitor.relabelings[]",
    "metrics.prometheusRule.rules[]",
    "networkPolicy.egress[]",
    "networkPolicy.ingressFrom[]",
    "networkPolicy.jobEgress[]",
    "networkPolicy.managementFrom[]",
}
# Each part is one mistake; the word is what the error has to name.
MISTAKES: dict[str, dict[str, Any]] = {
    "num_replica": {"deployment": {"num_replica": 3}},
    "deploymnet": {"deploymnet": {}},
    "num_replicas": {"deployment": {"num_replicas": "3"}},
    "cpu_cores": {"deployment": {"cpu_cores": 0}},
    "gpu_cores": {"deployment": {"gpu_cores": 0.5}},
    "period_seconds": {"deployment": {"period_seconds": 0}},
    "auth_enabled": {"deployment": {"auth_enabled": "yes"}},
    "namespace": {"deployment": {"namespace": "Not_One"}},
    "team": {"deployment": {"tags": {"team": 1}}},
    "primary_key": {"deployment": {"primary_key": "with space"}},
    "gpu_resource": {"cluster": {"gpu_resource": "cpu"}},
    "pullPolicy": {"image": {"pullPolicy": "Sometimes"}},
    "digest": {"image": {"digest": "sha256:short"}},
    "type": {"service": {"type": "ExternalName"}},
    "preStopSleepSeconds": {"drain": {"preStopSleepSeconds": -1}},
    "extraEnv": {"extraEnv": [{"value": "x"}]},
    "purpose": {"podLabels": {"purpose": True}},
    "nodeSelector": {"nodeSelector": ["gpu"]},
}


def objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema of a mapping, with its place."""
    if "object" in schema.get("type", ()):
        yield path, schema
    for key, nested in schema.get("properties", {}).items():
        yield from objects(nested, f"{path}.{key}".lstrip("."))
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")


def test_the_generated_files_agree_with_the_typed_values() -> None:
    for path, text in generated_files(CHART).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make generate`"


def test_a_generated_file_that_was_edited_is_named_and_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    options = ["--chart", str(chart)]
    assert main(["check", *options]) == 0
    (chart / "values.yaml").write_text("deployment: {}\n")
    assert main(["check", *options]) == 1
    assert f"{chart / 'values.yaml'} differs from the typed values" in capsys.readouterr().err
    assert main(["write", *options]) == 0
    assert main(["check", *options]) == 0


def test_a_readme_without_a_place_for_the_values_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the values"):
        with_table("# A chart\n", "| a | b |")


def test_it_is_draft_07_and_refers_to_nothing() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert "$ref" not in json.dumps(SCHEMA)


def test_it_is_closed_but_for_free_form_mappings() -> None:
    unbounded = {path for path, schema in objects(SCHEMA) if "additionalProperties" not in schema}
    assert unbounded == FREE_FORM
    assert SCHEMA["additionalProperties"] is False


def test_every_value_has_a_sentence_and_a_default_or_example() -> None:
    for path, described in leaves(SCHEMA):
        assert described["description"].endswith("."), path
        assert "default" in described or described["examples"], path


def test_every_example_and_every_default_is_valid() -> None:
    for path, described in leaves(SCHEMA):
        for value in [
            *described.get("examples", []),
            *([described["default"]] if "default" in described else []),
        ]:
            jsonschema.validate(value, described, jsonschema.Draft7Validator)
            assert value is not None, path


def test_null_is_allowed_exactly_where_the_sdk_has_none() -> None:
    nullable = {path for path, described in leaves(SCHEMA) if "null" in described["type"]}
    parameters = {path for path, _ in leaves(SCHEMA) if path.startswith("deployment.")}
    assert nullable == parameters | {"cluster.gpu_count"}


def all_mistakes() -> dict[str, Any]:
    """Return values with every mistake at once."""
    values: dict[str, Any] = {}
    for part in MISTAKES.values():
        for section, content in part.items():
            if isinstance(content, dict):
                values.setdefault(section, {}).update(content)
            else:
                values[section] = content
    return values


@pytest.mark.parametrize("helm", HELMS)
def test_each_of_many_mistakes_is_one_line_that_names_it(helm: HelmMajor) -> None:
    with pytest.raises(RefusedError) as refused:
        render(all_mistakes(), helm=helm)
    assert len(refused.value.mistakes) == len(MISTAKES)
    for named in MISTAKES:
        assert any(named in mistake for mistake in refused.value.mistakes), named


@pytest.mark.parametrize(("named", "values"), MISTAKES.items())
def test_the_templates_name_each_mistake_in_one_sentence(named: str, values: dict[str, Any]) -> None:
    (mistake,) = mistakes_in(values)
    assert named in mistake


@pytest.mark.parametrize("helm", HELMS)
def test_the_chart_can_be_part_of_another(helm: HelmMajor) -> None:
    render({"global": {"imageRegistry": "example"}}, helm=helm)


def test_the_message_of_a_bad_key_does_not_tell_the_key() -> None:
    (mistake,) = mistakes_in({"deployment": {"primary_key": "hunter 2"}})
    assert "hunter" not in mistake


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"deployment": {"num_replicas": 0}},
            "Invalid configuration, num_replicas must be greater than zero.",
        ),
        (
            {"deployment": {"gpu_cores": -1}},
            "Invalid configuration, gpu_cores must be greater than or equal to zero.",
        ),
        (
            {"deployment": {"namespace": "A"}},
            "Invalid configuration, namespace must be a valid Kubernetes namespace.",
        ),
        ({"deployment": {"num_replica": 1}}, "did you mean num_replicas?"),
        (
            {"deployment": {"autoscale_max_replicas": 4}},
            "Invalid configuration, autoscale_max_replicas provided without enabling autoscaling.",
        ),
    ],
)
def test_the_templates_speak_as_the_sdk_did(values: dict[str, Any], sentence: str) -> None:
    (mistake,) = mistakes_in(values)
    assert sentence in mistake
