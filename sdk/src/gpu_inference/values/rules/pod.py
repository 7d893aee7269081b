"""Rules about what users add to the pods: it must not replace what the chart itself sets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gpu_inference.values.env import RELIED_ON_BY_THE_CHART, SET_BY_THE_CHART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

# The selectors of the Deployment and the Service: a pod without them would serve nothing.
SELECTOR_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what would clash with labels and variables of the chart's own."""
    for name in SELECTOR_LABELS:
        if name in values.pod_labels:
            yield f"podLabels must not set {name}: the chart finds the service's pods by it."
    for name, times in sorted(Counter(variable.name for variable in values.extra_env).items()):
        if name in SET_BY_THE_CHART:
            yield f"extraEnv must not set {name}: the chart sets it from its own values."
        if name in RELIED_ON_BY_THE_CHART:
            yield f"extraEnv must not set {name}: the chart relies on its default."
        if times > 1:
            yield f"extraEnv sets {name} {times} times: keep one."
    for variable in values.extra_env:
        if variable.value is not None and variable.value_from is not None:
            yield f"extraEnv gives {variable.name} both value and valueFrom: keep one."
