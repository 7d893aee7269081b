"""Makes a node advertise simulated GPUs: scheduling, quotas and the GPU cap behave as with real ones.

By default the node's status is patched through the API, which works on every cluster. On the embedded cluster
a device plugin can advertise them instead. An annotation marks the node, so that real GPUs are never changed.
"""

import re
import time
from typing import Any, Literal, Protocol, runtime_checkable

from kubernetes import client

from gpu_inference.cluster import Cluster, KubeconfigCluster
from gpu_inference.cluster.api import (
    GPU_PRODUCT_LABEL,
    GPU_RESOURCE,
    TIMEOUT_SECONDS,
    gpus_of,
    schedulable_node,
)
from gpu_inference.errors import GpuInferenceError

_ANNOTATION = "gpu-inference/simulated-gpus"

DEFAULT_PRODUCT = "NVIDIA-A100-SXM4-40GB"

Mode = Literal["patch", "plugin"]


@runtime_checkable
class SimulatesGpus(Protocol):
    """A cluster with its own implementation of simulated GPUs."""

    def set_gpus(self, count: int, product: str = DEFAULT_PRODUCT, mode: Mode = "patch") -> None:
        """See the function `set_gpus`."""


def set_gpus(cluster: Cluster, count: int, product: str = DEFAULT_PRODUCT, mode: Mode = "patch") -> None:
    """Make a cluster's node advertise simulated `nvidia.com/gpu`; 0 removes them.

    Args:
        cluster: a running cluster.
        count: the number of GPUs.
        product: NVIDIA's product name; if it ends with a memory size, the node gets a label for that too.
        mode: `patch` writes the node's status; `plugin` (embedded cluster only) runs a device plugin, which
            also sets NVIDIA_VISIBLE_DEVICES in each container.

    Raises:
        GpuInferenceError: the cluster is not running, its node has real GPUs, the cluster does not support
            the mode, or it belongs to the user and was not opened with `simulate_gpus`.

    Example:
        set_gpus(open_cluster("embedded"), 4, product="NVIDIA-H100-80GB")
    """
    if isinstance(cluster, SimulatesGpus):
        cluster.set_gpus(count, product, mode)
        return
    if not (isinstance(cluster, KubeconfigCluster) and cluster.simulate_gpus):
        raise GpuInferenceError(
            "With simulated GPUs this cluster would accept pods that it cannot run.",
            "If it is a test cluster, confirm it: --simulate-gpus (in Python: simulate_gpus=True).",
        )
    refuse_plugin_mode(mode)
    with cluster.api() as api:
        advertise_by_patch(api, count, product)


def has_simulated_gpus(node: Any) -> bool:
    """Return whether the node is marked as having simulated GPUs."""
    return _ANNOTATION in (node.metadata.annotations or {})


def refuse_plugin_mode(mode: Mode) -> None:
    """Reject the mode `plugin` for a provider that cannot access the kubelet's folders.

    Raises:
        GpuInferenceError: the mode is `plugin`.
    """
    if mode == "plugin":
        raise GpuInferenceError(
            "The device plugin needs the kubelet's folders, which only the embedded cluster gives access to.",
            "Use the mode `patch`, or --provider embedded.",
        )


def refuse_real_gpus(node: Any) -> None:
    """Reject a node with real GPUs.

    Raises:
        GpuInferenceError: it advertises GPUs that are not simulated.
    """
    if not has_simulated_gpus(node) and gpus_of(node) > 0:
        raise GpuInferenceError(
            f"The node {node.metadata.name!r} has {gpus_of(node)} real {GPU_RESOURCE}.",
            "Use these, or simulate GPUs on a cluster that has none (--provider embedded).",
        )


def advertise_by_patch(api: client.ApiClient, count: int, product: str) -> None:
    """Patch the GPUs into the node's status, with labels; 0 removes both.

    Raises:
        GpuInferenceError: the count is negative, the node has real GPUs, or the change has no effect.
    """
    node = checked_node(api, count)
    if count:
        label_node(api, node.metadata.name, count, product, "patch")
    _patch_status(api, node, count)
    wait_until_allocatable(api, node.metadata.name, count)
    if not count:
        unlabel_node(api, node.metadata.name)


def checked_node(api: client.ApiClient, count: int) -> Any:
    """Return the node that gets the GPUs.

    Raises:
        GpuInferenceError: the count is negative, no node is schedulable, or the node has real GPUs.
    """
    if count < 0:
        raise GpuInferenceError(f"A node cannot have {count} GPUs.", "Give 0 or more.")
    node = schedulable_node(api)
    refuse_real_gpus(node)
    return node


def _patch_status(api: client.ApiClient, node: Any, count: int) -> None:
    escaped = GPU_RESOURCE.replace("/", "~1")
    patch: list[dict[str, str]] = []
    for field in ("capacity", "allocatable"):
        path = f"/status/{field}/{escaped}"
        if count:
            patch.append({"op": "add", "path": path, "value": str(count)})
        elif GPU_RESOURCE in (getattr(node.status, field) or {}):
            patch.append({"op": "remove", "path": path})
    if patch:
        client.CoreV1Api(api).patch_node_status(node.metadata.name, patch, _request_timeout=TIMEOUT_SECONDS)


def label_node(api: client.ApiClient, node: str, count: int, product: str, mode: Mode) -> None:
    """Set the labels of NVIDIA's GPU feature discovery, and our annotation."""
    _patch_metadata(api, node, labels(count, product), mode)


def labels(count: int, product: str) -> dict[str, str | None]:
    """Return the labels of a node with these GPUs; None means that a label is to be removed."""
    return {
        "nvidia.com/gpu.present": "true",
        GPU_PRODUCT_LABEL: product,
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.memory": _memory_mib(product),
    }


def unlabel_node(api: client.ApiClient, node: str) -> None:
    """Remove the labels and the annotation from a node."""
    _patch_metadata(api, node, dict.fromkeys(labels(0, "")), None)


def _patch_metadata(
    api: client.ApiClient, node: str, labels: dict[str, str | None], annotation: str | None
) -> None:
    body = {"metadata": {"labels": labels, "annotations": {_ANNOTATION: annotation}}}
    client.CoreV1Api(api).patch_node(node, body, _request_timeout=TIMEOUT_SECONDS)


def _memory_mib(product: str) -> str | None:
    """Return a product's memory in MiB if its name ends with a size (NVIDIA-A100-SXM4-40GB), or None."""
    match = re.search(r"-(\d+)GB$", product)
    return str(int(match[1]) * 1024) if match else None


def wait_until_allocatable(api: client.ApiClient, node: str, count: int, timeout_seconds: float = 30) -> None:
    """Wait until a node has exactly this number of allocatable GPUs.

    Raises:
        GpuInferenceError: it has another number after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    core = client.CoreV1Api(api)
    while (now := gpus_of(core.read_node(node, _request_timeout=TIMEOUT_SECONDS))) != count:
        if time.monotonic() > deadline:
            raise GpuInferenceError(
                f"The node {node!r} advertises {now} {GPU_RESOURCE}, not {count}, "
                f"after {timeout_seconds:.0f} s.",
                "Another program writes the node's status: does a device plugin run on this cluster?",
            )
        time.sleep(0.1)
