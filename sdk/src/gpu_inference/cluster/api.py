"""Talks to a cluster's API server, and turns what can go wrong on the way into sentences."""

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

# Connecting takes microseconds on this machine and well under this anywhere; an answer may take longer.
TIMEOUT_SECONDS = (3, 15)
# The client checks little of what it reads, and stumbles over the rest.
_NOT_A_KUBECONFIG = (ConfigException, OSError, YAMLError, AttributeError, KeyError, TypeError, ValueError)
NOT_READY_TAINT = "node.kubernetes.io/not-ready"
GPU_RESOURCE = "nvidia.com/gpu"
GPU_PRODUCT_LABEL = "nvidia.com/gpu.product"


def connect(kubeconfig: Path, context: str | None = None) -> client.ApiClient:
    """Return a client for the cluster that a kubeconfig names.

    Raises:
        GpuInferenceError: the file is missing, cannot be read, or has no such context.
    """
    try:
        api: client.ApiClient = config.new_client_from_config(str(kubeconfig), context)
        return api
    except _NOT_A_KUBECONFIG as error:
        raise GpuInferenceError(f"The kubeconfig {kubeconfig} cannot be used: {error}") from error


@contextmanager
def sentences(cluster: str, cure: str | None = None) -> Iterator[None]:
    """Turn errors of calls to the API server within the block into `GpuInferenceError`.

    Args:
        cluster: which cluster it is, e.g. `The cluster 'gpu-inference'`.
        cure: what to do when it does not answer.
    """
    try:
        yield
    except client.ApiException as error:
        raise GpuInferenceError(f"{cluster} refused a request: {_message(error)}") from error
    except urllib3.exceptions.HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise GpuInferenceError(f"{cluster} does not answer: {reason}", cure) from error


def _message(error: client.ApiException) -> str:
    """Return the API server's own words where it sent any."""
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


def server_version(api: client.ApiClient) -> str:
    """Return the API server's version, e.g. `v1.37.2`."""
    return str(client.VersionApi(api).get_code(_request_timeout=TIMEOUT_SECONDS).git_version)


def is_ready(api: client.ApiClient) -> bool:
    """Tell whether the API server answers, and that it is ready."""
    try:
        url = f"{api.configuration.host}/readyz"
        return bool(api.call_api("GET", url, _request_timeout=TIMEOUT_SECONDS).status == 200)
    except (client.ApiException, urllib3.exceptions.HTTPError):
        return False


def find_node(api: client.ApiClient, name: str) -> Any | None:
    """Return the node of that name, or None while it has not registered."""
    try:
        return client.CoreV1Api(api).read_node(name, _request_timeout=TIMEOUT_SECONDS)
    except client.ApiException as error:
        if error.status == 404:
            return None
        raise


def is_node_ready(node: Any) -> bool:
    """Tell whether a node says that it is Ready, and pods may be scheduled to it for all that.

    The taint goes a moment after the condition comes.
    """
    conditions = node.status.conditions or []
    taints = node.spec.taints or []
    return any(
        condition.type == "Ready" and condition.status == "True" for condition in conditions
    ) and not any(taint.key == NOT_READY_TAINT for taint in taints)


def schedulable_node(api: client.ApiClient) -> Any:
    """Return the first node by name that pods can be scheduled to.

    Raises:
        GpuInferenceError: there is none.
    """
    nodes: list[Any] = client.CoreV1Api(api).list_node(_request_timeout=TIMEOUT_SECONDS).items
    for node in sorted(nodes, key=lambda node: node.metadata.name):
        if not node.spec.unschedulable and not _keeps_pods_away(node):
            return node
    raise GpuInferenceError(
        "The cluster has no node that pods can be scheduled to.",
        "See `kubectl describe nodes`: taints, cordons.",
    )


def _keeps_pods_away(node: Any) -> bool:
    """Tell whether a node's taints do, apart from the one that goes as soon as it is Ready."""
    return any(
        taint.effect != "PreferNoSchedule" and taint.key != NOT_READY_TAINT
        for taint in node.spec.taints or []
    )


def gpus_of(node: Any) -> int:
    """Return how many GPUs, real or simulated, pods can get on a node."""
    return int((node.status.allocatable or {}).get(GPU_RESOURCE, "0"))


def gpu_product_of(node: Any) -> str | None:
    """Return what a node's GPUs are called, if it says."""
    label: str | None = (node.metadata.labels or {}).get(GPU_PRODUCT_LABEL)
    return label
