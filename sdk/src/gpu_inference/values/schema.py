"""Turns the typed values into the chart's values.schema.json.

Draft-07 and self-contained, because that is what every Helm 3 and 4 reads the same way. No `anyOf`, because
each of its branches would add a line to the error of a single mistake.
"""

import json
from typing import Any

from pydantic.fields import FieldInfo

from gpu_inference.values.base import Section
from gpu_inference.values.cap import cap_clauses
from gpu_inference.values.chart import ChartValues

Schema = dict[str, Any]


def values_schema() -> Schema:
    """Return the schema of a values file."""
    generated = ChartValues.model_json_schema(by_alias=True)
    definitions = generated.pop("$defs")
    schema = _simplified(generated, definitions)
    # The class explains itself to Python's readers.
    del schema["description"]
    _allow_null(schema, ChartValues)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart gpu-inference",
        **schema,
        "allOf": cap_clauses(),
    }


def schema_text(schema: Schema) -> str:
    """Return the schema as a file: readable where people read, one line for each clause of the cap."""
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
        # A bound laid over that of Count, which pydantic leaves beside it in its own word.
        node["maximum"] = bound
    if node.get("additionalProperties") is True:
        del node["additionalProperties"]
    return {key: _simplified(value, definitions) for key, value in node.items()}


def _allow_null(schema: Schema, section: type[Section]) -> None:
    """Let null be given where it means the same as leaving the key out."""
    for name, field in section.model_fields.items():
        key = field.alias or name
        described = schema["properties"][key]
        if section.accepts_null(key):
            described["type"] = [described["type"], "null"]
        if nested := _section_of(field):
            _allow_null(described, nested)


def _section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None
