"""pods * gpu_cores <= gpu_count: the schema and the templates agree everywhere.

The same holds for each field that asks for pods: the fixed number, and the autoscaler's two.
"""

import json
import shutil
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.chart.rendering import CHART, HELMS, HelmMajor, RefusedError, Rendered, render, run_helm

POOLS, GPUS_PER_POD, REPLICAS = range(65), range(9), range(1, 66)
GRID = tuple(product(POOLS, GPUS_PER_POD, REPLICAS))
FIELDS = ("num_replicas", "autoscale_min_replicas", "autoscale_max_replicas")
SAMPLE = [(0, 0, 65), (0, 1, 1), (4, 1, 4), (4, 1, 5), (7, 8, 1), (63, 3, 21), (64, 8, 9)]
BEYOND_THE_SCHEMA = [(100, 10, 11), (65, 1, 66), (2_000_000_000, 2, 1_000_000_001)]
each_field = pytest.mark.parametrize("field", FIELDS)


def values_of(pool: int, gpus: int, replicas: int, field: str = "num_replicas") -> dict[str, Any]:
    """Return values that break no rule but the cap."""
    deployment: dict[str, Any] = {field: replicas, "gpu_cores": gpus}
    if field != "num_replicas":
        deployment["autoscale_enabled"] = True
    if field == "autoscale_min_replicas":
        # The SDK lets it not exceed the maximum, which is 10 unless given.
        deployment["autoscale_max_replicas"] = replicas
    return {"deployment": deployment, "cluster": {"gpu_count": pool}}


def fits(pool: int, gpus: int, replicas: int) -> bool:
    return replicas * gpus <= pool


@cache
def schema() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))


@each_field
def test_the_schema_refuses_exactly_what_exceeds_the_pool(field: str) -> None:
    wrong = [case for case in GRID if schema().is_valid(values_of(*case, field)) != fits(*case)]
    assert wrong == []


def test_each_field_beyond_the_pool_is_one_error_with_its_limit() -> None:
    for pool, gpus, replicas in GRID[::7]:
        if fits(pool, gpus, replicas):
            continue
        values = values_of(pool, gpus, replicas)
        values["deployment"].update(dict.fromkeys(FIELDS, replicas))
        errors = list(schema().iter_errors(values))
        wrong, limit = (FIELDS, pool // gpus) if gpus <= pool else (("gpu_cores",), pool)
        assert sorted(error.instance_path[-1] for error in errors) == sorted(wrong), (pool, gpus, replicas)
        assert all(str(limit) in error.message for error in errors), (pool, gpus, replicas)


@pytest.mark.parametrize("helm", HELMS)
def test_the_templates_refuse_exactly_what_exceeds_the_pool(helm: HelmMajor, tmp_path: Path) -> None:
    # One Helm for all cases: a chart that asks the real chart's own rule about each.
    edges = {
        (pool, gpus, replicas)
        for pool, gpus in product(POOLS, GPUS_PER_POD)
        for replicas in {1, max(1, pool // max(1, gpus)), pool // max(1, gpus) + 1, 65}
    }
    (tmp_path / "values.yaml").write_text(json.dumps({"cases": sorted(edges), "fields": FIELDS}))
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: grid\nversion: 1.0.0\n")
    shutil.copy(CHART / "templates" / "validation" / "_replicas_rules.tpl", tmp_path / "templates")
    (tmp_path / "templates" / "grid.yaml").write_text("""accepted:
{{- range $field := .Values.fields }}
{{- range $.Values.cases }}
{{- $deployment := dict $field (index . 2) "gpu_cores" (index . 1) "autoscale_enabled" true }}
{{- $values := dict "deployment" $deployment "cluster" (dict "gpu_count" (index . 0)) }}
{{- if eq (include "gpu-inference.poolErrors" (dict "Values" $values)) "[]" }}
- {{ prepend . $field | toJson }}
{{- end }}{{ end }}{{ end }}
""")
    lines = run_helm(helm, "template", "grid", str(tmp_path)).splitlines()
    accepted = {tuple(json.loads(line[2:])) for line in lines if line.startswith("- [")}
    assert accepted == {(field, *case) for field in FIELDS for case in edges if fits(*case)}


@pytest.mark.parametrize("helm", HELMS)
@each_field
def test_helm_judges_alike_with_and_without_the_schema(field: str, helm: HelmMajor) -> None:
    # Helm 3 without the schema: all of these cases are among the edges of the test above.
    without = (False, True) if helm == 4 else (False,)
    for case, skip_schema in product(SAMPLE, without):
        pool, gpus, _ = case
        values = values_of(*case, field)
        if fits(*case):
            render(values, helm=helm, skip_schema=skip_schema)
            continue
        with pytest.raises(RefusedError) as refused:
            render(values, helm=helm, skip_schema=skip_schema)
        wrong = [name for name in FIELDS if name in values["deployment"]] if gpus <= pool else ["gpu_cores"]
        mistakes = sorted(refused.value.mistakes)
        assert len(mistakes) == len(wrong), (case, skip_schema)
        for name, mistake in zip(sorted(wrong), mistakes, strict=True):
            assert name in mistake, (case, skip_schema)


@each_field
def test_the_templates_refuse_what_is_too_large_for_the_schema(field: str) -> None:
    for case in BEYOND_THE_SCHEMA:
        values = values_of(*case, field)
        assert schema().is_valid(values), case
        with pytest.raises(RefusedError, match=rf"{field} .*needs {case[1] * case[2]} GPUs"):
            render(values)


def autoscaled(pool: int, gpus: int, **parameters: int) -> dict[str, Any]:
    deployment = {"autoscale_enabled": True, "gpu_cores": gpus, **parameters}
    return {"deployment": deployment, "cluster": {"gpu_count": pool}}


def maximum(rendered: Rendered) -> int:
    return int(rendered.one("Deployment")["metadata"]["annotations"]["gpu-inference/max-replicas"])


@pytest.mark.parametrize(
    ("values", "pods", "surge"),
    [
        (autoscaled(4, 1), 4, 0),
        (autoscaled(5, 2), 2, 0),
        (autoscaled(64, 1), 10, 1),
        (autoscaled(10, 1), 10, 0),
        (autoscaled(1, 0), 10, 1),
        (autoscaled(4, 1, autoscale_max_replicas=3), 3, 1),
        (autoscaled(4, 1, autoscale_max_replicas=4), 4, 0),
        (autoscaled(64, 1, autoscale_max_replicas=20), 20, 1),
        (autoscaled(0, 0, autoscale_max_replicas=20), 20, 1),
        (values_of(4, 1, 3), 3, 1),
        (values_of(4, 1, 4), 4, 0),
        ({}, 1, 0),
    ],
)
def test_the_most_pods_are_the_autoscalers_within_the_pool(
    values: dict[str, Any], pods: int, surge: int
) -> None:
    rendered = render(values)
    assert maximum(rendered) == pods
    # A surge pod has to find a GPU even when the autoscaler has asked for all the pods that it may.
    assert rendered.one("Deployment")["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": surge,
        "maxUnavailable": 1 - surge,
    }


def test_a_minimum_alone_beyond_the_pool_is_refused() -> None:
    values = autoscaled(4, 1, autoscale_min_replicas=5)
    for skip_schema in (False, True):
        with pytest.raises(RefusedError) as refused:
            render(values, skip_schema=skip_schema)
        (mistake,) = refused.value.mistakes
        assert "autoscale_min_replicas" in mistake


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("values", "limited"),
    [
        ({"deployment": {"num_replicas": 2}}, "num_replicas"),
        (
            {"deployment": {"num_replicas": 2, "gpu_cores": None}, "cluster": {"gpu_count": None}},
            "num_replicas",
        ),
        (
            {"deployment": {"autoscale_enabled": True, "autoscale_max_replicas": 2, "gpu_cores": None}},
            "autoscale_max_replicas",
        ),
        ({"deployment": {"gpu_cores": 2}, "cluster": {"gpu_count": None}}, "gpu_cores"),
        ({"deployment": {"gpu_cores": None}, "cluster": {"gpu_count": 0}}, "gpu_co"),
    ],
)
def test_an_absent_or_null_number_counts_as_one(
    values: dict[str, Any], limited: str, helm: HelmMajor
) -> None:
    for skip_schema in (False, True):
        with pytest.raises(RefusedError) as refused:
            render(values, helm=helm, skip_schema=skip_schema)
        (mistake,) = refused.value.mistakes
        assert limited in mistake


@pytest.mark.parametrize("number", ["five", -1, 1.5, 2**31])
def test_no_odd_number_passes_the_cap_without_the_schema(number: object) -> None:
    values = {"deployment": {"num_replicas": number, "gpu_cores": number}, "cluster": {"gpu_count": number}}
    with pytest.raises(RefusedError) as refused:
        render(values, skip_schema=True)
    assert len(refused.value.mistakes) == 3
    for name, mistake in zip(("num_replicas", "gpu_cores", "gpu_count"), refused.value.mistakes, strict=True):
        assert f"{name} must be" in mistake


@pytest.mark.parametrize("number", ["five", -1, 1.5, 2**31])
@pytest.mark.parametrize("field", FIELDS[1:])
def test_no_odd_autoscaler_number_passes_without_the_schema(field: str, number: object) -> None:
    values = {"deployment": {"autoscale_enabled": True, field: number}}
    with pytest.raises(RefusedError) as refused:
        render(values, skip_schema=True)
    (mistake,) = refused.value.mistakes
    assert f"{field} must be" in mistake


def test_the_sentence_says_what_to_change() -> None:
    with pytest.raises(RefusedError) as refused:
        render(values_of(5, 2, 3), skip_schema=True)
    assert refused.value.mistakes == [
        "deployment.num_replicas 3 with deployment.gpu_cores 2 needs 6 GPUs, but cluster.gpu_count is 5: set"
        " deployment.num_replicas to 2 or fewer, or cluster.gpu_count to 6 if the cluster has that many GPUs"
        " for this service."
    ]
