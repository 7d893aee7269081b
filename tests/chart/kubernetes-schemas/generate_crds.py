"""Writes the JSON schemas of the custom kinds that the chart renders, out of their operators' own CRDs.

`make kubernetes-schemas` fetches the Go modules of these operators and writes
crds.json beside itself: stricter than the CRDs, because unknown fields fail instead of being dropped. Rules
in CEL are left out; a live test puts the objects before a real API server with the CRDs themselves.
"""

from pathlib import Path
from typing import Any

import yaml
from generate import KEPT, module_folder, text

# Module and file of each CRD; the version of its kind that the chart renders.
CRDS = {
    "github.com/kedacore/keda/v2@v2.21.0": {"config/crd/bases/keda.sh_scaledobjects.yaml": "v1alpha1"},
    "sigs.k8s.io/gateway-api@v1.6.3": {
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml": "v1",
    },
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": {
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml": "v1",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml": "v1",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml": "v1",
    },
}
OBJECT_META = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
# CRDs bound far more than the built-in kinds' OpenAPI document does.
BOUNDS = ("pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties")


def main() -> None:
    """Write the one file."""
    definitions = {}
    for module, files in CRDS.items():
        for file, version in files.items():
            crd = yaml.safe_load((module_folder(module) / file).read_text(encoding="utf-8"))
            definitions[kind(crd, version)] = schema(crd, version)
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": f"From {', '.join(CRDS)}; written by generate_crds.py.",
        "definitions": definitions,
    }
    Path(__file__).with_name("crds.json").write_text(text(document), encoding="utf-8")


def kind(crd: dict[str, Any], version: str) -> str:
    """Return the kind's name as the other schemas write it, e.g. keda.sh/v1alpha1/ScaledObject."""
    return f"{crd['spec']['group']}/{version}/{crd['spec']['names']['kind']}"


def schema(crd: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the strict schema of one version of a CRD's kind."""
    (found,) = (entry for entry in crd["spec"]["versions"] if entry["name"] == version)
    result = strict(found["schema"]["openAPIV3Schema"])
    # The server's own, and long; not every kind has one.
    result["properties"].pop("status", None)
    result["properties"]["metadata"] = OBJECT_META
    return result


def strict(node: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its texts, closed to unknown fields."""
    kept = {key: node[key] for key in (*KEPT, *BOUNDS) if key in node}
    if node.get("x-kubernetes-int-or-string"):
        kept["type"] = ["integer", "string"]
    if "items" in node:
        kept["items"] = strict(node["items"])
    if "properties" in node:
        kept["properties"] = {key: strict(value) for key, value in node["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            kept["additionalProperties"] = False
    elif isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = strict(node["additionalProperties"])
    return kept


if __name__ == "__main__":
    main()
