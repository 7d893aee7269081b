"""num_replicas * gpu_cores <= gpu_count: the schema, the templates and the typed values agree everywhere."""

import json
import shutil
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from tests.chart.rendering import CHART, HELMS, HelmMajor, RefusedError, render, run_helm

from gpu_inference.errors import GpuInferenceError
from gpu_inference.values import load

POOLS, GPUS_PER_POD, REPLICAS = range(65), range(9), range(1, 66)
GRID = tuple(product(POOLS, GPUS_PER_POD, REPLICAS))
SAMPLE = [(0, 0, 65), (0, 1, 1), (4, 1, 4), (4, 1, 5), (7, 8, 1), (63, 3, 21), (64, 8, 9)]
BEYOND_THE_SCHEMA = [(100, 10, 11), (65, 1, 66), (2_000_000_000, 2, 1_000_000_001)]


def values_of(pool: int, gpus: int, replicas: int) -> dict[str, Any]:
    return {"deployment": {"num_replicas": replicas, "gpu_cores": gpus}, "cluster": {"gpu_count": pool}}


def fits(pool: int, gpus: int, replicas: int) -> bool:
    return replicas * gpus <= pool


@cache
def schema() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))


def test_the_schema_refuses_exactly_what_exceeds_the_pool_over_the_whole_grid() -> None:
    wrong = [case for case in GRID if schema().is_valid(values_of(*case)) != fits(*case)]
    assert len(GRID) == 38_025
    assert wrong == []


def test_each_violation_is_one_error_that_names_the_field_to_change_and_its_limit() -> None:
    for pool, gpus, replicas in GRID[::7]:
        if fits(pool, gpus, replicas):
            continue
        (error,) = schema().iter_errors(values_of(pool, gpus, replicas))
        field, limit = ("num_replicas", pool // gpus) if gpus <= pool else ("gpu_cores", pool)
        assert error.instance_path == ["deployment", field], (pool, gpus, replicas)
        assert str(limit) in error.message, (pool, gpus, replicas)


@pytest.mark.parametrize("helm", HELMS)
def test_the_templates_refuse_exactly_what_exceeds_each_pool_at_its_edge(
    helm: HelmMajor, tmp_path: Path
) -> None:
    # One Helm for all cases: a chart that asks the real chart's own rule about each.
    edges = {
        (pool, gpus, replicas)
        for pool, gpus in product(POOLS, GPUS_PER_POD)
        for replicas in {1, max(1, pool // max(1, gpus)), pool // max(1, gpus) + 1, 65}
    }
    (tmp_path / "values.yaml").write_text(json.dumps({"cases": sorted(edges)}))
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: grid\nversion: 1.0.0\n")
    for name in ("pool", "numbers"):
        shutil.copy(CHART / "templates" / "validation" / f"_{name}.tpl", tmp_path / "templates")
    (tmp_path / "templates" / "grid.yaml").write_text("""accepted:
{{- range .Values.cases }}
{{- $deployment := dict "num_replicas" (index . 2) "gpu_cores" (index . 1) }}
{{- $values := dict "deployment" $deployment "cluster" (dict "gpu_count" (index . 0)) }}
{{- if eq (include "gpu-inference.poolProblems" (list $ $values)) "[]" }}
- {{ toJson . }}
{{- end }}{{ end }}
""")
    lines = run_helm(helm, "template", "grid", str(tmp_path)).splitlines()
    accepted = {tuple(json.loads(line[2:])) for line in lines if line.startswith("- [")}
    assert len(edges) > 1500
    assert accepted == {case for case in edges if fits(*case)}


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("case", SAMPLE)
def test_helm_gives_the_same_verdict_with_and_without_the_schema(
    case: tuple[int, int, int], helm: HelmMajor
) -> None:
    pool, gpus, _ = case
    for skip_schema in (False, True):
        if fits(*case):
            render(values_of(*case), helm=helm, skip_schema=skip_schema)
            continue
        with pytest.raises(RefusedError) as refused:
            render(values_of(*case), helm=helm, skip_schema=skip_schema)
        (mistake,) = refused.value.mistakes
        assert ("num_replicas" if gpus <= pool else "gpu_cores") in mistake


@pytest.mark.parametrize("case", BEYOND_THE_SCHEMA)
def test_the_templates_refuse_what_is_too_large_for_the_schema(case: tuple[int, int, int]) -> None:
    assert schema().is_valid(values_of(*case))
    with pytest.raises(RefusedError, match=rf"needs {case[1] * case[2]} GPUs"):
        render(values_of(*case))


def test_the_typed_values_refuse_exactly_what_exceeds_the_pool() -> None:
    for case in [*GRID[::29], *SAMPLE, *BEYOND_THE_SCHEMA]:
        try:
            load(values_of(*case))
            accepted = True
        except GpuInferenceError:
            accepted = False
        assert accepted == fits(*case), case


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("values", "limited"),
    [
        ({"deployment": {"num_replicas": 2}}, "num_replicas"),
        (
            {"deployment": {"num_replicas": 2, "gpu_cores": None}, "cluster": {"gpu_count": None}},
            "num_replicas",
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
    with pytest.raises(GpuInferenceError, match=limited):
        load(values)


@pytest.mark.parametrize("number", ["five", -1, 1.5, 2**31])
def test_no_odd_number_slips_past_the_cap_without_the_schema(number: object) -> None:
    values = {"deployment": {"num_replicas": number, "gpu_cores": number}, "cluster": {"gpu_count": number}}
    with pytest.raises(RefusedError) as refused:
        render(values, skip_schema=True)
    assert len(refused.value.mistakes) == 3
    for name, mistake in zip(("num_replicas", "gpu_cores", "gpu_count"), refused.value.mistakes, strict=True):
        assert f"{name} must be" in mistake


def test_the_sentence_says_what_to_change() -> None:
    with pytest.raises(RefusedError) as refused:
        render(values_of(5, 2, 3), skip_schema=True)
    assert refused.value.mistakes == [
        "deployment.num_replicas 3 with deployment.gpu_cores 2 needs 6 GPUs, but cluster.gpu_count is 5: set"
        " deployment.num_replicas to 2 or fewer, or cluster.gpu_count to 6 if the cluster has that many GPUs"
        " for this service."
    ]
