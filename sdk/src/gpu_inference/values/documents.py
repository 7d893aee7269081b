"""Writes what else tells about the values: values.yaml, its defaults, the README's table."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from gpu_inference.values.in_kubernetes import IN_KUBERNETES

Schema = dict[str, Any]

TABLE_BEGIN = "<!-- values: written by `make generate` -->"
TABLE_END = "<!-- end of values -->"
_WIDTH = 110
# What only a chart that this one is a part of gives; not to be found among the values.
OF_A_PARENT = ("enabled", "global")


def defaults(schema: Schema) -> dict[str, Any]:
    """Return what each value is that nobody gives, without those that are then absent."""
    found: dict[str, Any] = {}
    for key, described in schema["properties"].items():
        if "properties" in described:
            found[key] = defaults(described)
        elif "default" in described:
            found[key] = described["default"]
    return found


def defaults_text(schema: Schema) -> str:
    """Return the defaults as the file that the templates read where a value is null or absent."""
    return json.dumps(defaults(schema), indent=2) + "\n"


def values_yaml(schema: Schema) -> str:
    """Return values.yaml: each value with its sentence; as a comment with an example if it has no default."""
    head = "# Values of the chart gpu-inference, written by `make generate` from the typed values.\n"
    return head + "".join(_entries(schema, ""))


def values_table(schema: Schema) -> str:
    """Return the README's table of all values, with the marks around it."""
    parameters, others = [], []
    for path, described in leaves(schema):
        section, _, name = path.partition(".")
        row = f"| `{path}` | {_cell(described)} | {described['description']} |"
        if section == "deployment":
            parameters.append(f"{row} {IN_KUBERNETES[name]} |")
        else:
            others.append(row)
    return "\n".join(
        [
            TABLE_BEGIN,
            "| parameter | default | meaning | in Kubernetes |",
            "| --- | --- | --- | --- |",
            *parameters,
            "",
            "| value | default | meaning |",
            "| --- | --- | --- |",
            *others,
            TABLE_END,
        ]
    )


def with_table(readme: str, table: str) -> str:
    """Return the README with the table in place of the one between the marks."""
    before, _, rest = readme.partition(TABLE_BEGIN)
    _, mark, after = rest.partition(TABLE_END)
    if not mark:
        raise ValueError(f"The README has no place for the values: it lacks {TABLE_BEGIN} … {TABLE_END}.")
    return before + table + after


def leaves(schema: Schema, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield each value's dotted path and schema; a section is told by its values."""
    for key, described in schema["properties"].items():
        if key in OF_A_PARENT and not prefix:
            continue
        if "properties" in described:
            yield from leaves(described, f"{prefix}{key}.")
        else:
            yield prefix + key, described


def _cell(described: Schema) -> str:
    if "default" not in described:
        return ""
    return f"`{json.dumps(described['default'], ensure_ascii=False)}`"


def _entries(schema: Schema, indent: str) -> Iterator[str]:
    for key, described in schema["properties"].items():
        if key in OF_A_PARENT and not indent:
            continue
        if not indent:
            yield "\n"
        for line in textwrap.wrap(described["description"], _WIDTH - len(indent) - 2):
            yield f"{indent}# {line}\n"
        if "properties" in described:
            yield f"{indent}{key}:\n"
            yield from _entries(described, indent + "  ")
        elif "default" in described:
            yield f"{indent}{key}: {json.dumps(described['default'])}\n"
        else:
            example = yaml.safe_dump({key: described["examples"][0]}, sort_keys=False, width=_WIDTH)
            yield textwrap.indent(example, f"{indent}# ")
