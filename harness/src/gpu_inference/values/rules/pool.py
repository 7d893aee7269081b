"""The cap: all pods together never need more GPUs than the cluster lends to the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what exceeds the GPUs that the cluster lends to the service."""
    replicas = values.deployment.num_replicas or 1
    per_pod, pool = values.deployment.gpu_cores, values.cluster.gpu_count
    if replicas * per_pod <= pool:
        return
    enough = f"cluster.gpu_count to {replicas * per_pod} if the cluster has that many GPUs for this service"
    if per_pod > pool:
        yield (
            f"deployment.gpu_cores is {per_pod}, but cluster.gpu_count is {pool}, too few for one pod: set"
            f" {enough}, or deployment.gpu_cores to 0 to run on CPU."
        )
    else:
        yield (
            f"deployment.num_replicas {replicas} with deployment.gpu_cores {per_pod} needs"
            f" {replicas * per_pod} GPUs, but cluster.gpu_count is {pool}: set deployment.num_replicas to"
            f" {pool // per_pod} or fewer, or {enough}."
        )
