"""Writes the JSON schemas of the kinds that the chart renders, out of Kubernetes' own OpenAPI document.

`make kubernetes-schemas` fetches the Go module k8s.io/kubernetes of the lowest supported version and of the
one that the tests' cluster runs, writes a file such as v1.37.json for each, and removes those of other
versions. They are stricter than the OpenAPI document: unknown fields fail, as they do at the API server under
strict field validation.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from gpu_inference_testing import versions

LOWEST = "1.30.14"
"""The newest patch of the lowest version that the chart supports (kubeVersion in Chart.yaml)."""

# A kind that a version lacks is left out of its file.
KINDS = {
    "v1/ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "v1/PersistentVolumeClaim": "io.k8s.api.core.v1.PersistentVolumeClaim",
    "v1/Pod": "io.k8s.api.core.v1.Pod",
    "v1/ResourceQuota": "io.k8s.api.core.v1.ResourceQuota",
    "v1/Secret": "io.k8s.api.core.v1.Secret",
    "v1/Service": "io.k8s.api.core.v1.Service",
    "v1/ServiceAccount": "io.k8s.api.core.v1.ServiceAccount",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": (
        "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy"
    ),
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": (
        "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding"
    ),
    "apps/v1/Deployment": "io.k8s.api.apps.v1.Deployment",
    "autoscaling/v2/HorizontalPodAutoscaler": "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "batch/v1/Job": "io.k8s.api.batch.v1.Job",
    "networking.k8s.io/v1/Ingress": "io.k8s.api.networking.v1.Ingress",
    "networking.k8s.io/v1/NetworkPolicy": "io.k8s.api.networking.v1.NetworkPolicy",
    "policy/v1/PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/ClusterRole": "io.k8s.api.rbac.v1.ClusterRole",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": "io.k8s.api.rbac.v1.ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/Role": "io.k8s.api.rbac.v1.Role",
    "rbac.authorization.k8s.io/v1/RoleBinding": "io.k8s.api.rbac.v1.RoleBinding",
    "resource.k8s.io/v1/ResourceClaimTemplate": "io.k8s.api.resource.v1.ResourceClaimTemplate",
}
# What the OpenAPI document calls a string, but has another notation of its own.
SPECIAL: dict[str, dict[str, Any]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["string", "number"],
        "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$",
    },
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["integer", "string"]},
    # The server's own; no chart sets it.
    "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry": {"type": "object"},
}
KEPT = ("type", "format", "required", "enum", "x-kubernetes-list-map-keys")


def main() -> None:
    """Write one file for each version, and remove the others."""
    folder = Path(__file__).parent
    written = set()
    for version in (f"v{LOWEST}", f"v{versions.KUBERNETES}"):
        definitions = openapi(version)["definitions"]
        kinds = {kind: name for kind, name in KINDS.items() if name in definitions}
        wanted = closure(list(kinds.values()), definitions)
        document = {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$comment": f"From Kubernetes {version}, written by generate.py.",
            "kinds": kinds,
            "definitions": {name: strict(name, definitions[name]) for name in sorted(wanted)},
        }
        file = folder / f"{'.'.join(version.split('.')[:2])}.json"
        file.write_text(text(document), encoding="utf-8")
        written.add(file)
    for outdated in set(folder.glob("v*.json")) - written:
        outdated.unlink()


def openapi(version: str) -> dict[str, Any]:
    """Return Kubernetes' OpenAPI document of a version such as v1.30.14."""
    folder = module_folder(f"k8s.io/kubernetes@{version}")
    document: dict[str, Any] = json.loads(Path(folder, "api/openapi-spec/swagger.json").read_bytes())
    return document


def module_folder(module: str) -> Path:
    """Return the folder with a Go module such as k8s.io/kubernetes@v1.30.14, downloaded if need be."""
    command = ["go", "mod", "download", "-json", module]
    downloaded = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return Path(downloaded["Dir"])


def closure(names: list[str], definitions: dict[str, Any]) -> set[str]:
    """Return these definitions and all that they refer to."""
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            if name not in SPECIAL:
                names += referred(definitions[name])
    return found


def referred(node: Any) -> list[str]:
    """Return the definitions that a part of the document names."""
    if isinstance(node, list):
        return [name for item in node for name in referred(item)]
    if not isinstance(node, dict):
        return []
    here = [target(node["$ref"])] if isinstance(node.get("$ref"), str) else []
    return here + [name for value in node.values() for name in referred(value)]


def target(reference: str) -> str:
    """Return the definition's name in a reference."""
    return reference.rpartition("/")[2]


def strict(name: str, node: dict[str, Any]) -> dict[str, Any]:
    """Return a definition without its texts, closed to unknown fields."""
    if name in SPECIAL:
        return SPECIAL[name]
    if "$ref" in node:
        return {"$ref": f"#/definitions/{target(node['$ref'])}"}
    kept = {key: node[key] for key in KEPT if key in node}
    if "items" in node:
        kept["items"] = strict("", node["items"])
    if "properties" in node:
        kept["properties"] = {key: strict("", value) for key, value in node["properties"].items()}
        kept["additionalProperties"] = False
    elif isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = strict("", node["additionalProperties"])
    return kept


def text(document: dict[str, Any]) -> str:
    """Return the document with one definition on each line: a new version makes a readable difference."""
    lines = [
        f"    {json.dumps(name)}: {json.dumps(body, separators=(',', ':'))}"
        for name, body in document["definitions"].items()
    ]
    head = json.dumps({**document, "definitions": "LINES"}, indent=2)
    return head.replace('"LINES"', "{\n" + ",\n".join(lines) + "\n  }") + "\n"


if __name__ == "__main__":
    main()
