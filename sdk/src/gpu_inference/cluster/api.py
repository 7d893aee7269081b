"""Connects to a cluster's API server and converts its errors into messages for users."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException
from yaml import YAMLError

from gpu_inference.errors import GpuInferenceError

# For connecting and for reading a response.
TIMEOUT_SECONDS = (3, 15)
# What the client raises for an invalid kubeconfig: it validates little of the file.
_KUBECONFIG_ERRORS = (ConfigException, OSError, YAMLError, AttributeError, KeyError, TypeError, ValueError)
NOT_READY_TAINT = "node.kubernetes.io/not-ready"
GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"


def connect(kubeconfig: Path, context: str | None = None) -> client.ApiClient:
    """Return a client for the cluster of a kubeconfig's context (the current one by default).

    Raises:
        GpuInferenceError: the file is missing, cannot be read, or has no such context.
    """
    try:
        api: client.ApiClient = config.new_client_from_config(str(kubeconfig), context)
        return api
    except _KUBECONFIG_ERRORS as error:
        raise GpuInferenceError(f"The kubeconfig {kubeconfig} cannot be used: {error}") from error


@contextmanager
def api_errors(cluster: str, cure: str | None = None) -> Iterator[None]:
    """Convert errors of API requests within the block into GpuInferenceError.

    Args:
        cluster: what the message calls the cluster, e.g. `The cluster 'gpu-inference'`.
        cure: what to do if it does not respond.

    Raises:
        GpuInferenceError: the API server rejects a request or does not respond.
    """
    try:
        yield
    except client.ApiException as error:
        raise GpuInferenceError(f"{cluster} refused a request: {_message(error)}") from error
    except urllib3.exceptions.HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise GpuInferenceError(f"{cluster} does not answer: {reason}", cure) from error


def _message(error: client.ApiException) -> str:
    """Return the API server's message, or the HTTP status if it sent none."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def server_version(api: client.ApiClient) -> str:
    """Return the API server's version, e.g. `v1.37.2`."""
    return str(client.VersionApi(api).get_code(_request_timeout=TIMEOUT_SECONDS).git_version)


def is_ready(api: client.ApiClient) -> bool:
    """Return whether the API server responds and reports that it is ready."""
    try:
        url = f"{api.configuration.host}/readyz"
        return bool(api.call_api("GET", url, _request_timeout=TIMEOUT_SECONDS).status == 200)
    except (client.ApiException, urllib3.exceptions.HTTPError):
        return False


def find_node(api: client.ApiClient, name: str) -> Any | None:
    """Return the node of that name, or None if it is not registered."""
    try:
        return client.CoreV1Api(api).read_node(name, _request_timeout=TIMEOUT_SECONDS)
    except client.ApiException as error:
        if error.status == 404:
            return None
        raise


def is_node_ready(node: Any) -> bool:
    """Return whether a node has the condition Ready and no longer has the taint `not-ready`.

    The taint is removed a moment after the condition is set; until then no pod is scheduled to the node.
    """
    conditions = node.status.conditions or []
    taints = node.spec.taints or []
    return any(
        condition.type == "Ready" and condition.status == "True" for condition in conditions
    ) and not any(taint.key == NOT_READY_TAINT for taint in taints)


def schedulable_node(api: client.ApiClient) -> Any:
    """Return the first node, by name, that pods can be scheduled to.

    Raises:
        GpuInferenceError: there is no such node.
    """
    nodes: list[Any] = client.CoreV1Api(api).list_node(_request_timeout=TIMEOUT_SECONDS).items
    for node in sorted(nodes, key=lambda node: node.metadata.name):
        if not node.spec.unschedulable and not _has_blocking_taint(node):
            return node
    raise GpuInferenceError(
        "The cluster has no node that pods can be scheduled to.",
        "Look for taints and cordons: kubectl describe nodes",
    )


def _has_blocking_taint(node: Any) -> bool:
    """Return whether a taint keeps pods off a node; ignore `not-ready`, which is removed at its start."""
    return any(
        taint.effect != "PreferNoSchedule" and taint.key != NOT_READY_TAINT
        for taint in node.spec.taints or []
    )


def gpus_of(node: Any) -> int:
    """Return the number of allocatable GPUs of a node, real or simulated."""
    return int((node.status.allocatable or {}).get(GPU_RESOURCE, "0"))


def gpu_product_of(node: Any) -> str | None:
    """Return the product name of a node's GPUs, if a label gives it."""
    label: str | None = (node.metadata.labels or {}).get(GPU_PRODUCT_LABEL)
    return label
