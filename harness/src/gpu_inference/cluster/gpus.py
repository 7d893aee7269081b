"""Makes a node advertise GPUs that are not there: scheduling, quota and the cap behave as with real ones.

It works through the API alone, and so on every kind of cluster; on the embedded cluster a device plugin can
take the place of the patch. An annotation on the node tells these GPUs from real ones, which are left alone.
"""

import re
import time
from typing import Any, Literal

from kubernetes import client

from gpu_inference.cluster.api import NOT_READY_TAINT, TIMEOUT_SECONDS
from gpu_inference.errors import GpuInferenceError

RESOURCE = "nvidia.com/gpu"
_ANNOTATION = "gpu-inference/simulated-gpus"
_PRODUCT_LABEL = "nvidia.com/gpu.product"

Mode = Literal["patch", "plugin"]


def schedulable_node(api: client.ApiClient) -> Any:
    """Return the node that gets the GPUs: the first by name that pods can be scheduled to.

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


def has_simulated_gpus(node: Any) -> bool:
    """Tell whether a node's GPUs, if it has any, were set here."""
    return _ANNOTATION in (node.metadata.annotations or {})


def allocatable(node: Any) -> int:
    """Return how many GPUs, real or simulated, pods can get on a node."""
    return int((node.status.allocatable or {}).get(RESOURCE, "0"))


def product(node: Any) -> str | None:
    """Return what a node's GPUs are called, if it says."""
    label: str | None = (node.metadata.labels or {}).get(_PRODUCT_LABEL)
    return label


def refuse_plugin_mode(mode: Mode) -> None:
    """Stop a provider that has no access to the kubelet's folders.

    Raises:
        GpuInferenceError: the mode is `plugin`.
    """
    if mode == "plugin":
        raise GpuInferenceError(
            "The device plugin runs beside the kubelet, which only the embedded cluster allows.",
            "Use the mode `patch`, or --provider embedded.",
        )


def refuse_real_gpus(node: Any) -> None:
    """Stop at a node whose GPUs are not ours.

    Raises:
        GpuInferenceError: it advertises GPUs that were not set here.
    """
    if not has_simulated_gpus(node) and allocatable(node) > 0:
        raise GpuInferenceError(
            f"The node {node.metadata.name!r} has {allocatable(node)} real {RESOURCE}.",
            "Use them as they are, or simulate GPUs on a cluster that has none (--provider embedded).",
        )


def advertise_by_patch(api: client.ApiClient, count: int, product: str) -> None:
    """Write capacity, allocatable and labels into the node's status; 0 removes them.

    Raises:
        GpuInferenceError: the count is negative, the node has real GPUs, or it does not take the change.
    """
    node = checked_node(api, count)
    if count:
        describe(api, node.metadata.name, count, product, "patch")
    _patch_status(api, node, count)
    wait_until_allocatable(api, node.metadata.name, count)
    if not count:
        forget(api, node.metadata.name)


def checked_node(api: client.ApiClient, count: int) -> Any:
    """Return the node to change.

    Raises:
        GpuInferenceError: the count is negative, there is no node for it, or it has real GPUs.
    """
    if count < 0:
        raise GpuInferenceError(f"A node cannot have {count} GPUs.", "Give 0 or more.")
    node = schedulable_node(api)
    refuse_real_gpus(node)
    return node


def _patch_status(api: client.ApiClient, node: Any, count: int) -> None:
    escaped = RESOURCE.replace("/", "~1")
    patch: list[dict[str, str]] = []
    for field in ("capacity", "allocatable"):
        path = f"/status/{field}/{escaped}"
        if count:
            patch.append({"op": "add", "path": path, "value": str(count)})
        elif RESOURCE in (getattr(node.status, field) or {}):
            patch.append({"op": "remove", "path": path})
    if patch:
        client.CoreV1Api(api).patch_node_status(node.metadata.name, patch, _request_timeout=TIMEOUT_SECONDS)


def describe(api: client.ApiClient, node: str, count: int, product: str, mode: Mode) -> None:
    """Give a node the labels of NVIDIA's GPU feature discovery, and our annotation."""
    _patch_metadata(api, node, labels(count, product), mode)


def labels(count: int, product: str) -> dict[str, str | None]:
    """Return the labels of a node with so many GPUs; None stands for a label that it must not have."""
    return {
        "nvidia.com/gpu.present": "true",
        _PRODUCT_LABEL: product,
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.memory": _memory_mib(product),
    }


def forget(api: client.ApiClient, node: str) -> None:
    """Take the labels and the annotation from a node."""
    _patch_metadata(api, node, dict.fromkeys(labels(0, "")), None)


def _patch_metadata(
    api: client.ApiClient, node: str, labels: dict[str, str | None], annotation: str | None
) -> None:
    body = {"metadata": {"labels": labels, "annotations": {_ANNOTATION: annotation}}}
    client.CoreV1Api(api).patch_node(node, body, _request_timeout=TIMEOUT_SECONDS)


def _memory_mib(product: str) -> str | None:
    """Return a product's memory in MiB where its name tells it (NVIDIA-A100-SXM4-40GB)."""
    match = re.search(r"-(\d+)GB$", product)
    return str(int(match[1]) * 1024) if match else None


def wait_until_allocatable(api: client.ApiClient, node: str, count: int, timeout_seconds: float = 30) -> None:
    """Wait until pods can get exactly so many GPUs on a node.

    Raises:
        GpuInferenceError: they cannot after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    core = client.CoreV1Api(api)
    while (now := allocatable(core.read_node(node, _request_timeout=TIMEOUT_SECONDS))) != count:
        if time.monotonic() > deadline:
            raise GpuInferenceError(
                f"The node {node!r} advertises {now} {RESOURCE}, not {count}, after {timeout_seconds:.0f} s.",
                "Something else writes its status: is a device plugin running on this cluster?",
            )
        time.sleep(0.1)
