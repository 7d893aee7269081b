"""The cap: all pods together never need more GPUs than the cluster lends to the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

# Each has the same limit, and a sentence of its own. Those of an autoscaler that is off break another rule.
_PODS = ("num_replicas", "autoscale_min_replicas", "autoscale_max_replicas")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what exceeds the GPUs that the cluster lends to the service."""
    asked = _PODS if values.deployment.autoscale_enabled else _PODS[:1]
    given = {name: getattr(values.deployment, name) or 1 for name in asked}
    per_pod, pool = values.deployment.gpu_cores, values.cluster.gpu_count
    if per_pod > pool:
        yield (
            f"deployment.gpu_cores is {per_pod}, but cluster.gpu_count is {pool}, too few for one pod: set"
            f" {_enough(max(given.values()) * per_pod)}, or deployment.gpu_cores to 0 to run on CPU."
        )
        return
    for name, pods in given.items():
        if pods * per_pod > pool:
            yield (
                f"deployment.{name} {pods} with deployment.gpu_cores {per_pod} needs {pods * per_pod} GPUs,"
                f" but cluster.gpu_count is {pool}: set deployment.{name} to {pool // per_pod} or fewer, or"
                f" {_enough(pods * per_pod)}."
            )


def _enough(gpus: int) -> str:
    return f"cluster.gpu_count to {gpus} if the cluster has that many GPUs for this service"
