"""Turns the typed values into the chart's values.schema.json.

Draft-07 and self-contained, because that is what every Helm 3 and 4 reads the same way. No `anyOf`, because
each of its branches would add a line to the error of a single mistake.
"""

import json
from typing import Any

from charts.values.base import SnakeCaseSection
from charts.values.cap import cap_clauses
from charts.values.chart import ChartValues
from charts.values.documents import leaves
from pydantic.fields import FieldInfo

Schema = dict[str, Any]


# What the models say about a value beyond JSON Schema's own words.
_OURS = ("must", "kubernetes", "variable")
# What the templates need of a value to fill in its default and to name what is wrong with it.
_CHECKED = (
    *("type", "default", "enum", "pattern", "must", "minLength", "maxLength"),
    *("minimum", "exclusiveMinimum", "maximum", "required", "additionalProperties"),
)


def described_values() -> Schema:
    """Return the schema of a values file with three keywords of ours.

    `must` ends the error about a text that does not match its pattern; `kubernetes` is what a parameter of
    the SDK becomes; `variable` is the environment variable of the scoring container that a value sets, unless
    it has its default.
    """
    generated = ChartValues.model_json_schema(by_alias=True)
    definitions = generated.pop("$defs")
    schema: Schema = _simplified(generated, definitions)
    # The class explains itself to Python's readers.
    del schema["description"]
    _allow_null(schema, ChartValues)
    return schema


def values_schema() -> Schema:
    """Return the chart's values.schema.json, with the cap."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart gpu-inference",
        **_without(described_values(), _OURS),
        "allOf": cap_clauses(),
    }


def variables(schema: Schema) -> list[dict[str, Any]]:
    """Return the environment variables that values set: name, and the value's path and default."""
    return [
        {"name": described["variable"], "path": path.split("."), "default": described["default"]}
        for path, described in leaves(schema)
        if "variable" in described
    ]


def template_schema(schema: Schema) -> Schema:
    """Return what the templates check values by: Helm does not show them the chart's own schema."""
    checked: Schema = {key: value for key, value in schema.items() if key in _CHECKED}
    if "properties" in schema:
        checked["properties"] = {key: template_schema(value) for key, value in schema["properties"].items()}
        # Go sorts the keys of a mapping; errors come in the order in which a person reads the values.
        checked["order"] = list(schema["properties"])
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            checked[key] = template_schema(schema[key])
    return checked


def schema_text(schema: Schema) -> str:
    """Return the schema as text: indented, with one line per clause of the cap."""
    readable = json.dumps({**schema, "allOf": "CLAUSES"}, indent=2, ensure_ascii=False)
    clauses = ",\n".join("    " + json.dumps(clause, separators=(",", ":")) for clause in schema["allOf"])
    return readable.replace('"CLAUSES"', f"[\n{clauses}\n  ]") + "\n"


def _simplified(node: Any, definitions: dict[str, Schema]) -> Any:
    """Return a part of pydantic's schema without references, titles and choices between a type and null."""
    if isinstance(node, list):
        return [_simplified(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: value for key, value in node.items() if key != "title" or not isinstance(value, str)}
    if reference := node.pop("$ref", None):
        node = {**definitions[reference.rpartition("/")[2]], **node}
        node.pop("title", None)
    if choices := node.pop("anyOf", None):
        (kind,) = (choice for choice in choices if choice.get("type") != "null")
        # A default of None is the absence of one.
        node = {**kind, **{key: value for key, value in node.items() if (key, value) != ("default", None)}}
    if (bound := node.pop("le", None)) is not None:
        # A bound laid over that of PositiveInt, which pydantic leaves beside it in its own word.
        node["maximum"] = bound
    if node.get("additionalProperties") is True:
        del node["additionalProperties"]
    return {key: _simplified(value, definitions) for key, value in node.items()}


def _allow_null(schema: Schema, section: type[SnakeCaseSection]) -> None:
    """Allow null for each key where it means the same as leaving the key out."""
    for name, field in section.model_fields.items():
        key = field.alias or name
        described = schema["properties"][key]
        if section.accepts_null(key):
            described["type"] = [described["type"], "null"]
        if nested := _section_of(field):
            _allow_null(described, nested)


def _section_of(field: FieldInfo) -> type[SnakeCaseSection] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, SnakeCaseSection) else None


def _without(node: Any, keys: tuple[str, ...]) -> Any:
    """Return a part of a schema without some keys, except as names of values."""
    if not isinstance(node, dict):
        return node
    return {
        key: {name: _without(value, keys) for name, value in node[key].items()}
        if key == "properties"
        else _without(node[key], keys)
        for key in node
        if key not in keys
    }
