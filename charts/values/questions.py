"""Generates questions.yaml, Rancher's form for the most common values."""

from collections.abc import Iterator
from typing import Any

import yaml
from charts.values.documents import leaves

Schema = dict[str, Any]

_HEAD = "# Rancher's form for the chart's values, written by `make generate` from the typed values.\n"
# Sections whose simple values are asked for, with their group's heading; all others stay in the YAML view.
GROUPS = {
    "deployment": "Deployment",
    "cluster": "GPUs",
    "image": "Image",
    "keys": "Keys",
    "service": "Service",
    "autoscaling": "Autoscaling",
    "networkPolicy": "Network",
    "metrics": "Monitoring",
}
_TYPES = {"boolean": "boolean", "integer": "int", "number": "float", "string": "string"}
# Shown as dots while they are typed.
_PASSWORDS = ("primary_key", "secondary_key")
# Questions that are shown only if another answer makes them relevant.
_SHOW_IF = {
    "deployment.autoscale_min_replicas": "deployment.autoscale_enabled=true",
    "deployment.autoscale_max_replicas": "deployment.autoscale_enabled=true",
    "deployment.autoscale_refresh_seconds": "deployment.autoscale_enabled=true",
    "deployment.autoscale_target_utilization": "deployment.autoscale_enabled=true",
}


def questions_text(schema: Schema) -> str:
    """Return questions.yaml."""
    document = {"categories": ["Machine Learning"], "questions": list(questions(schema))}
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)


def questions(schema: Schema) -> Iterator[dict[str, Any]]:
    """Yield a question for each value of the sections above that fits a form field."""
    for section, group in GROUPS.items():
        for path, described in leaves(schema["properties"][section], f"{section}."):
            if kind := _type(path.rpartition(".")[2], described):
                yield _question(path, kind, group, described)


def _type(key: str, described: Schema) -> str | None:
    """Return Rancher's name for a value's type, or None for lists and mappings, which need the YAML view."""
    if "enum" in described:
        return "enum"
    if key in _PASSWORDS:
        return "password"
    kinds = [described["type"]] if isinstance(described["type"], str) else described["type"]
    return next((_TYPES[kind] for kind in kinds if kind in _TYPES), None)


def _question(path: str, kind: str, group: str, described: Schema) -> dict[str, Any]:
    question: dict[str, Any] = {
        "variable": path,
        # The names are the SDK's and Kubernetes' own: people look for them.
        "label": path.partition(".")[2],
        "description": described["description"],
        "type": kind,
        "group": group,
    }
    if "default" in described:
        question["default"] = described["default"]
    if kind == "enum":
        question["options"] = described["enum"]
    if kind == "int":
        question["min"] = described["minimum"]
    if path in _SHOW_IF:
        question["show_if"] = _SHOW_IF[path]
    return question
