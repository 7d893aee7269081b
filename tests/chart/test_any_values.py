"""Whatever the values: the schema refuses wrong kinds, and nothing ends in the words of Go's templates."""

import json
import re
from typing import Any

import jsonschema_rs
from charts.values.documents import leaves
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.chart.rendering import CHART, RefusedError, render

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
LEAVES = dict(leaves(SCHEMA))
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)
# One of each kind that JSON has.
KINDS: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "integer": 7,
    "number": 1.5,
    "string": "text",
    "array": [],
    "object": {},
}
ODD_TEXTS = (
    "",
    "x-1",
    "A b",
    "{{ .Values }}",
    "é\"'\\",
    "https://example.com/a?b=c",
    "true",
    "a/b",
    "::1",
    "a: b\nc: d",
)
GO_SPEAKING = re.compile(
    r"executing |error calling|nil pointer|wrong type|can't evaluate|interface \{\}|YAML parse"
)


def values_with(path: str, value: Any) -> dict[str, Any]:
    """Return values in which one thing is given."""
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def test_a_value_of_a_wrong_kind_is_refused() -> None:
    for path in LEAVES:
        kinds = LEAVES[path]["type"]
        accepted = {kinds} if isinstance(kinds, str) else set(kinds)
        if "number" in accepted:
            accepted.add("integer")
        for kind, value in KINDS.items():
            if kind not in accepted:
                assert not VALIDATOR.is_valid(values_with(path, value)), (path, kind)


def anything(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what this part of the schema may accept, odd things first of all; others may come too."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "integer":
        low = schema.get("minimum", 0)
        return st.sampled_from([low, low + 1, 64, schema.get("maximum", low), 2.0])
    if kind == "array":
        return st.lists(anything(schema["items"]), max_size=2)
    if kind == "object" and "properties" in schema:
        required = schema.get("required", [])
        return st.fixed_dictionaries(
            {key: anything(schema["properties"][key]) for key in required},
            optional={
                key: anything(described)
                for key, described in schema["properties"].items()
                if key not in required
            },
        )
    if kind == "object":
        # What lies deeper is Kubernetes' own, and the API server's to refuse.
        further = schema.get("additionalProperties")
        return (
            st.just({})
            if not isinstance(further, dict)
            else st.just({}) | st.fixed_dictionaries({"example.com/x": anything(further)})
        )
    return {
        "boolean": st.booleans(),
        "number": st.sampled_from([0.1, 1, 2.5, 1e-6, 1e9]),
        "string": st.sampled_from(ODD_TEXTS),
    }[kind]


@st.composite
def some_values(draw: st.DrawFn) -> dict[str, Any]:
    """Return values that the schema accepts, with up to four things given."""
    values: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(list(LEAVES)), min_size=1, max_size=4, unique=True)):
        *sections, key = path.split(".")
        node = values
        for section in sections:
            node = node.setdefault(section, {})
        node[key] = draw(anything(LEAVES[path]))
        if not VALIDATOR.is_valid(values):
            del node[key]
    return values


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(some_values())
def test_accepted_values_render_or_are_refused_in_sentences(values: dict[str, Any]) -> None:
    assert "These values cannot be deployed" in (said := refusal(values)) or not GO_SPEAKING.search(said)


def refusal(values: dict[str, Any]) -> str:
    """Return what Helm says against these values, if anything."""
    try:
        render(values, kubernetes="1.37")
    except RefusedError as refused:
        return str(refused)
    return ""
