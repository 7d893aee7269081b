"""What no schema can say: rules between values, in the words of the chart's templates/validation/.

One module for each of those templates; tests/chart/test_rules.py holds the two to the same sentences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_inference.values.rules import (
    autoscaling,
    deployment,
    extras,
    guards,
    image,
    keys,
    labels,
    lifecycle,
    models,
    network,
    pod,
    pool,
    telemetry,
    token_auth,
)

if TYPE_CHECKING:
    from gpu_inference.values.chart import ChartValues

_PARTS = (
    deployment,
    autoscaling,
    pool,
    guards,
    keys,
    pod,
    extras,
    labels,
    image,
    network,
    models,
    lifecycle,
    telemetry,
    token_auth,
)


def problems(values: ChartValues) -> list[str]:
    """Return one sentence for each rule that the values break."""
    return [sentence for part in _PARTS for sentence in part.problems(values)]
