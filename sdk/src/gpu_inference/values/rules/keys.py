"""Rules about the service's two keys: they come from one place, and the second never alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what is contradictory about the keys."""
    given = values.deployment
    if given.secondary_key and not given.primary_key:
        yield "deployment.secondary_key is given without deployment.primary_key: give both or neither."
    if values.keys.existing_secret and (given.primary_key or given.secondary_key):
        yield (
            "keys.existingSecret and deployment.primary_key or secondary_key are both given: keep the keys in"
            " one place."
        )
    names = {
        "primaryKey": values.keys.primary_key_name,
        "secondaryKey": values.keys.secondary_key_name,
    }
    for own, name in names.items():
        if name != own and not values.keys.existing_secret:
            yield (
                f"keys.{own}Name is {name} without keys.existingSecret: the chart's own Secret calls it"
                f" {own}. Give keys.existingSecret too, or leave keys.{own}Name out."
            )
