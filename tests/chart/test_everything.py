"""Every value of the chart leaves a trace: another value gives another release, or other notes.

A key that is misspelt in a template, or a value that no template reads, fails here although nobody wrote a
test for it.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts.values.documents import leaves
from charts.values.schema import described_values
from tests.chart.rendering import CHART, EVERYTHING, HELMS, RefusedError, manifests, notes, render

NEWEST = "1.37"
LEAVES = dict(leaves(described_values()))
# What these do shows on a cluster alone: without one, it shows in what the chart refuses.
REFUSED: dict[str, dict[str, Any]] = {
    "deployment.namespace": {"deployment": {"namespace": "speech"}},
    "cluster.check_nodes": {"cluster": {"resource_claim": {"enabled": True}}},
    "tokenAuth.clusterIssuer": {
        "deployment": {"auth_enabled": False, "token_auth_enabled": True},
        "tokenAuth": None,
    },
}


def laid_over(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with changes over them, as Helm joins them; null takes a value away."""
    result = dict(values)
    for key, change in changes.items():
        if change is None:
            result.pop(key, None)
        elif isinstance(change, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = laid_over(result[key], change)
        else:
            result[key] = change
    return result


def variants() -> list[dict[str, Any]]:
    """Return the first document, and each further one laid over it."""
    first, *others = yaml.safe_load_all(EVERYTHING.read_text())
    return [first, *(laid_over(first, other) for other in others)]


VARIANTS = variants()


def found(values: Mapping[str, Any], path: str) -> Any:
    """Return the value at a path; None where it is not given."""
    node: Any = values
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def with_value(path: str, value: Any) -> dict[str, Any]:
    """Return changes that give one value, or take it away."""
    *sections, key = path.split(".")
    changes: dict[str, Any] = {key: value}
    for section in reversed(sections):
        changes = {section: changes}
    return changes


def other_values(path: str, given: Any) -> Iterator[Any]:
    """Yield what else a value may be: nothing, hence its default, or something near to what is given."""
    if isinstance(given, bool):
        yield not given
    yield None
    match given:
        case bool():
            return
        case int() | float():
            yield from (given + 1, given - 1)
        case str():
            yield from (value for value in LEAVES[path].get("enum", []) if value != given)
            if "0" in given:
                yield given.replace("0", "1")
            yield from (f"{given}x", f"{given}.py", f"{given}/x", f"x{given}")
        case list():
            yield from (given[:1], given[1:], [*given, given[0]])
        case dict():
            yield {"example.com/else": "x"}
            yield json.loads(json.dumps(given).replace('"}', 'x"}'))


def said(values: Mapping[str, Any], chart: Path = CHART) -> str:
    """Return all that the chart makes of values."""
    # Helm 3 takes two thirds of the time that Helm 4 takes, and these are hundreds of renders.
    return manifests(json.dumps(values), chart=chart, kubernetes=NEWEST, helm=3)


def tries(
    path: str, variants: Sequence[dict[str, Any]]
) -> Iterator[list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Yield the variants without and with a change of one value: all with its first change, then the next.

    In which variant a value counts is not known, but nearly every first change is seen there.
    """
    default = LEAVES[path].get("default")
    away = [each for each in variants if found(each, path) not in (None, default)]
    changed = [
        [(variant, laid_over(variant, with_value(path, other))) for other in other_values(path, given)]
        for variant, given in ((each, found(each, path)) for each in away)
    ]
    for pairs in zip_longest(*changed):
        yield [pair for pair in pairs if pair is not None]


def leaves_a_trace(
    path: str, chart: Path = CHART, variants: Sequence[dict[str, Any]] = tuple(VARIANTS)
) -> bool:
    """Return whether another value gives another release, or other notes, in one of the variants."""
    if path in REFUSED:
        with pytest.raises(RefusedError, match=path):
            said(laid_over(VARIANTS[0], REFUSED[path]), chart)
        return True
    for pairs in tries(path, variants):
        alike = []
        for before, after in pairs:
            try:
                if said(after, chart) != said(before, chart):
                    return True
            except RefusedError:
                continue
            alike.append((before, after))
        if any(notes(after) != notes(before) for before, after in alike):
            return True
    return False


def test_each_document_is_rendered_alike_by_both_helms() -> None:
    for number, values in enumerate(VARIANTS):
        three, four = (render(values, kubernetes=NEWEST, helm=helm) for helm in HELMS)
        assert three.by_name == four.by_name, f"document {number}"


@pytest.mark.parametrize("section", sorted({path.partition(".")[0] for path in LEAVES}))
def test_every_value_leaves_a_trace(section: str) -> None:
    paths = [path for path in LEAVES if path.partition(".")[0] == section]
    assert [path for path in paths if not leaves_a_trace(path)] == []


def test_a_value_that_no_template_reads_is_noticed(tmp_path: Path) -> None:
    chart = tmp_path / CHART.name
    shutil.copytree(CHART, chart)
    template = chart / "templates" / "scoring" / "deployment.yaml"
    template.write_text(template.read_text().replace(".Values.priorityClassName", ".Values.priorityClass"))
    assert leaves_a_trace("priorityClassName")
    assert not leaves_a_trace("priorityClassName", chart, VARIANTS[:1])


def test_a_misspelt_field_of_an_object_is_noticed(tmp_path: Path) -> None:
    chart = tmp_path / CHART.name
    shutil.copytree(CHART, chart)
    template = chart / "templates" / "scoring" / "deployment.yaml"
    template.write_text(template.read_text().replace("runtimeClassName:", "runtimeClasName:"))
    with pytest.raises(AssertionError, match="runtimeClasName"):
        render(VARIANTS[0], kubernetes=NEWEST, chart=chart)
