"""Default objects in the embedded cluster: a StorageClass, DNS permissions, and the CPU overcommit policy."""

import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from gpu_inference.cluster.api import TIMEOUT_SECONDS
from gpu_inference.errors import GpuInferenceError

_MANIFESTS = Path(__file__).parent / "manifests"
_POLICY = "overcommit-cpu.gpu-inference"
_REQUEST_ANNOTATION = "cpu-request.gpu-inference/"
_SERVER_SIDE_APPLY = {
    "field_manager": "gpu-inference",
    "force": True,
    "_content_type": "application/apply-patch+yaml",
    "_request_timeout": TIMEOUT_SECONDS,
}


def apply_defaults(api: client.ApiClient) -> None:
    """Create or update the StorageClass and the permissions of DNS."""
    for file in ("storage-class.yaml", "dns.yaml"):
        _apply(api, file)


def set_cpu_overcommit(api: client.ApiClient, on: bool) -> None:
    """Turn CPU overcommit on or off for new pods; return when the API server applies the change.

    Raises:
        GpuInferenceError: the API server does not apply it within 30 s.
    """
    if on:
        _apply(api, "overcommit-cpu.yaml")
    else:
        admission = client.AdmissionregistrationV1Api(api)
        for delete in (
            admission.delete_mutating_admission_policy_binding,
            admission.delete_mutating_admission_policy,
        ):
            try:
                delete(_POLICY, _request_timeout=TIMEOUT_SECONDS)
            except client.ApiException as error:
                if error.status != 404:
                    raise
    deadline = time.monotonic() + 30
    while _lowers_requests(api) is not on:
        if time.monotonic() > deadline:
            raise GpuInferenceError(
                f"The API server does not apply the policy {_POLICY!r} (overcommit of CPU requests).",
                "Read kube-apiserver.log in the cluster's folder, or start with --no-cpu-overcommit.",
            )
        time.sleep(0.1)


def is_cpu_overcommitted(api: client.ApiClient) -> bool:
    """Return whether the CPU requests of new pods are lowered."""
    try:
        client.AdmissionregistrationV1Api(api).read_mutating_admission_policy_binding(
            _POLICY, _request_timeout=TIMEOUT_SECONDS
        )
    except client.ApiException as error:
        if error.status == 404:
            return False
        raise
    return True


def can_create_pods(api: client.ApiClient) -> bool:
    """Return whether the namespace `default` has its ServiceAccount, which every pod needs."""
    try:
        client.CoreV1Api(api).read_namespaced_service_account(
            "default", "default", _request_timeout=TIMEOUT_SECONDS
        )
    except client.ApiException as error:
        if error.status == 404:
            return False
        raise
    return True


def _lowers_requests(api: client.ApiClient) -> bool:
    """Return whether the API server lowers the CPU request of a pod, in a dry run."""
    container = {"name": "probe", "image": "probe", "resources": {"requests": {"cpu": "1"}}}
    pod: Any = {"metadata": {"generateName": "cpu-overcommit-"}, "spec": {"containers": [container]}}
    made: Any = client.CoreV1Api(api).create_namespaced_pod(
        "default", pod, dry_run="All", _request_timeout=TIMEOUT_SECONDS
    )
    annotations = made.metadata.annotations or {}
    return any(name.startswith(_REQUEST_ANNOTATION) for name in annotations)


def _apply(api: client.ApiClient, file: str) -> None:
    admission = client.AdmissionregistrationV1Api(api)
    rbac = client.RbacAuthorizationV1Api(api)
    patches: dict[str, Any] = {
        "StorageClass": client.StorageV1Api(api).patch_storage_class,
        "ClusterRole": rbac.patch_cluster_role,
        "ClusterRoleBinding": rbac.patch_cluster_role_binding,
        "MutatingAdmissionPolicy": admission.patch_mutating_admission_policy,
        "MutatingAdmissionPolicyBinding": admission.patch_mutating_admission_policy_binding,
    }
    for manifest in yaml.safe_load_all((_MANIFESTS / file).read_text()):
        patches[manifest["kind"]](manifest["metadata"]["name"], manifest, **_SERVER_SIDE_APPLY)
