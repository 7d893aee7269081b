"""Looks whether a cluster's nodes have the GPUs that a service counts on, as far as one may look.

The chart can look too (`cluster.check_nodes`), but Helm aborts where the user may not list nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from gpu_inference.cluster.api import TIMEOUT_SECONDS, connect, sentences
from gpu_inference.values.chart import ChartValues
from gpu_inference.values.pool import max_replicas, max_surge

_FORBIDDEN = 403


@dataclass(frozen=True)
class Pool:
    """What the nodes that a service may use have, whoever uses it now."""

    gpus: int
    pods: int
    """How many of the service's pods fit, each of which gets all its GPUs from one node."""


def look(kubeconfig: Path, context: str | None, values: ChartValues) -> Pool | None:
    """Return what the cluster's nodes have; None if this user may not list them.

    Raises:
        GpuInferenceError: the cluster does not answer.
    """
    with sentences(f"The cluster of {kubeconfig}"):
        try:
            listed = client.CoreV1Api(connect(kubeconfig, context)).list_node(
                _request_timeout=TIMEOUT_SECONDS
            )
        except client.ApiException as error:
            if error.status == _FORBIDDEN:
                return None
            raise
    return count(listed.items, values)


def count(nodes: Sequence[Any], values: ChartValues) -> Pool:
    """Return what these nodes have, of the GPU models that the values ask for."""
    cluster, per_pod = values.cluster, values.deployment.gpu_cores
    gpus = [
        int(parse_quantity((node.status.allocatable or {}).get(cluster.gpu_resource, "0")))
        for node in nodes
        if not cluster.gpu_products
        or (node.metadata.labels or {}).get(cluster.gpu_product_label) in cluster.gpu_products
    ]
    return Pool(sum(gpus), sum(of_node // per_pod for of_node in gpus) if per_pod else 0)


def shortage(values: ChartValues, pool: Pool) -> str | None:
    """Return what the pool lacks for a service with GPUs, in a sentence; None if it is large enough."""
    cluster, per_pod = values.cluster, values.deployment.gpu_cores
    models = f" with the models {', '.join(cluster.gpu_products)}" if cluster.gpu_products else ""
    if cluster.gpu_count > pool.gpus:
        return (
            f"cluster.gpu_count is {cluster.gpu_count}, but the nodes of this cluster{models} have"
            f" {pool.gpus} of {cluster.gpu_resource}."
        )
    pods = max_replicas(values) + max_surge(values)
    if pods > pool.pods:
        return (
            f"The service needs room for {pods} pods with {per_pod} of {cluster.gpu_resource} each, but the"
            f" nodes of this cluster{models} have room for {pool.pods}."
        )
    return None
