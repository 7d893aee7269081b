"""Makes a node advertise GPUs that are not there: scheduling, quota and the cap behave as with real ones.

It works through the API alone, and so on every kind of cluster; on the embedded cluster a device plugin can
take the place of the patch. An annotation on the node tells these GPUs from real ones, which are left alone.
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
    """A cluster that has its own way to make its node advertise GPUs."""

    def set_gpus(self, count: int, product: str = DEFAULT_PRODUCT, mode: Mode = "patch") -> None:
        """See the function `set_gpus`."""


def set_gpus(cluster: Cluster, count: int, product: str = DEFAULT_PRODUCT, mode: Mode = "patch") -> None:
    """Make a cluster's node advertise so many `nvidia.com/gpu` that are not there; 0 removes them.

    `set_gpus(open_cluster("embedded"), 4)` gives the default cluster four.

    Args:
        cluster: it must be up.
        count: how many.
        product: what they are, by NVIDIA's name; the memory size at its end becomes a label too.
        mode: `patch` writes the node's status; `plugin` runs a device plugin (on the embedded cluster alone),
            which also gives each container its NVIDIA_VISIBLE_DEVICES.

    Raises:
        GpuInferenceError: the cluster is not running, its node has real GPUs, the cluster does not take the
            mode, or it is the user's own and was not opened with `simulate_gpus`.
    """
    if isinstance(cluster, SimulatesGpus):
        cluster.set_gpus(count, product, mode)
        return
    if not (isinstance(cluster, KubeconfigCluster) and cluster.simulate_gpus):
        raise GpuInferenceError(
            "Simulated GPUs would make this cluster accept work that it cannot do.",
            "If it is a test cluster, say so: --simulate-gpus (in Python: simulate_gpus=True).",
        )
    refuse_plugin_mode(mode)
    with cluster.api() as api:
        advertise_by_patch(api, count, product)


def has_simulated_gpus(node: Any) -> bool:
    """Tell whether a node's GPUs, if it has any, were set here."""
    return _ANNOTATION in (node.metadata.annotations or {})


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
    if not has_simulated_gpus(node) and gpus_of(node) > 0:
        raise GpuInferenceError(
            f"The node {node.metadata.name!r} has {gpus_of(node)} real {GPU_RESOURCE}.",
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


def describe(api: client.ApiClient, node: str, count: int, product: str, mode: Mode) -> None:
    """Give a node the labels of NVIDIA's GPU feature discovery, and our annotation."""
    _patch_metadata(api, node, labels(count, product), mode)


def labels(count: int, product: str) -> dict[str, str | None]:
    """Return the labels of a node with so many GPUs; None stands for a label that it must not have."""
    return {
        "nvidia.com/gpu.present": "true",
        GPU_PRODUCT_LABEL: product,
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
    while (now := gpus_of(core.read_node(node, _request_timeout=TIMEOUT_SECONDS))) != count:
        if time.monotonic() > deadline:
            raise GpuInferenceError(
                f"The node {node!r} advertises {now} {GPU_RESOURCE}, not {count}, "
                f"after {timeout_seconds:.0f} s.",
                "Something else writes its status: is a device plugin running on this cluster?",
            )
        time.sleep(0.1)
