"""How many pods the service's GPUs can hold, and how many it ever asks for: _gpu.tpl in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_inference.values.contents import tied_to_one_place

if TYPE_CHECKING:
    from gpu_inference.values.chart import ChartValues

# v1's, which few pools can hold.
DEFAULT_AUTOSCALER_MAXIMUM = 10


def pods_in_pool(values: ChartValues) -> int | None:
    """Return the number of pods that the GPUs of the service can hold; None if pods need none."""
    per_pod = values.deployment.gpu_cores
    return values.cluster.gpu_count // per_pod if per_pod else None


def max_replicas(values: ChartValues) -> int:
    """Return the largest number of pods that is ever asked for: an autoscaler's maximum, if there is one."""
    given = values.deployment
    if not given.autoscale_enabled:
        return given.num_replicas or 1
    if given.autoscale_max_replicas:
        return given.autoscale_max_replicas
    room = pods_in_pool(values)
    return DEFAULT_AUTOSCALER_MAXIMUM if room is None else min(DEFAULT_AUTOSCALER_MAXIMUM, room)


def max_surge(values: ChartValues) -> int:
    """Return how many pods a rollout adds before it takes any away."""
    per_pod = values.deployment.gpu_cores
    with_surge = (max_replicas(values) + 1) * per_pod
    fits = per_pod == 0 or with_surge <= values.cluster.gpu_count
    return 1 if fits and not tied_to_one_place(values) else 0
