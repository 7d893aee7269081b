"""Rules about what guards the GPUs inside the cluster: no guard may stop what the cap allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what contradicts itself about the guards."""
    cluster = values.cluster
    if values.deployment.gpu_cores == 0:
        return
    if 0 < cluster.quota.gpus < cluster.gpu_count:
        yield (
            f"cluster.quota.gpus is {cluster.quota.gpus}, but this service alone may use"
            f" {cluster.gpu_count} GPUs (cluster.gpu_count): raise the one, which is for all services of the"
            " namespace together, or lower the other."
        )
    if cluster.check_nodes and cluster.resource_claim.enabled:
        yield (
            "cluster.check_nodes counts what device plugins offer, and cluster.resource_claim.enabled takes"
            " the GPUs from a DRA driver: set one of the two to false."
        )
