"""Rules about how pods start, spread and leave: what Kubernetes would refuse after the install has begun."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from gpu_inference.values.base import LARGEST
from gpu_inference.values.contents import fetch_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what Kubernetes could not do with the pods."""
    if (seconds := progress_deadline_seconds(values)) > LARGEST:
        yield (
            f"A rollout would wait {seconds} s for a pod to start and another to leave, but Kubernetes counts"
            f" to {LARGEST}: lower deployment.initial_delay_seconds, period_seconds, failure_threshold,"
            " success_threshold, drain or rollout.pullSeconds."
        )
    spread = values.topology_spread_constraints
    pairs = Counter((each.topology_key, each.when_unsatisfiable) for each in spread)
    for (key, otherwise), times in pairs.items():
        if times > 1:
            yield f"topologySpreadConstraints has topologyKey {key} with {otherwise} {times} times: keep one."
    for each in spread:
        if each.min_domains is not None and each.when_unsatisfiable != "DoNotSchedule":
            yield (
                f"topologySpreadConstraints has minDomains for topologyKey {each.topology_key}: that needs"
                " whenUnsatisfiable DoNotSchedule."
            )


def progress_deadline_seconds(values: ChartValues) -> int:
    """Return what the chart's helper of this name returns."""
    given, drain = values.deployment, values.drain
    startup = given.initial_delay_seconds + given.period_seconds * given.failure_threshold
    request = math.ceil((given.max_request_wait_time + given.scoring_timeout_ms) / 1000)
    leave = drain.pre_stop_sleep_seconds + drain.seconds + request + 10
    bring = values.rollout.pull_seconds + fetch_seconds(values)
    return leave + bring + startup + given.period_seconds * given.success_threshold
