"""Rules about the autoscaler: whether there is one, in the SDK's words, and what its engine needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_inference.values.pool import DEFAULT_AUTOSCALER_MAXIMUM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

OPTIONS = (
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what is contradictory about the autoscaler."""
    given = values.deployment
    if given.autoscale_enabled:
        yield from _problems_of_an_autoscaler(values)
        return
    if given.autoscale_enabled is False and given.num_replicas is None:
        yield "Invalid configuration, autoscale disabled but num_replicas not provided."
    for option in OPTIONS:
        if getattr(given, option) is not None:
            yield f"Invalid configuration, {option} provided without enabling autoscaling."


def _problems_of_an_autoscaler(values: ChartValues) -> Iterator[str]:
    given = values.deployment
    if given.num_replicas is not None:
        yield "Invalid configuration, autoscale enabled and num_replicas provided."
    fewest, most = given.autoscale_min_replicas or 1, given.autoscale_max_replicas
    if fewest > (most or DEFAULT_AUTOSCALER_MAXIMUM):
        default = "" if most else f" (It is {DEFAULT_AUTOSCALER_MAXIMUM} unless given.)"
        yield (
            "Invalid configuration, autoscale_min_replicas cannot be greater than autoscale_max_replicas."
            f"{default}"
        )
    if values.autoscaling.engine == "hpa" and not values.autoscaling.external_metric.name:
        yield (
            "autoscaling.engine is hpa, which needs a metric: set autoscaling.externalMetric.name to one of"
            " external.metrics.k8s.io with the busy slots of all pods, or use the engine keda."
        )
