"""What the places that models and code come from mean for the pods' life."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu_inference.values.chart import ChartValues
    from gpu_inference.values.sources import Sourced

# Allowed for each model that is copied from a volume, whose size nobody tells.
_COPY_SECONDS = 600


def fetch_seconds(values: ChartValues) -> int:
    """Return the longest time that the pods' init containers may take, one after another."""
    seconds = sum(
        content.download.timeout_seconds for content in _contents(values) if "download" in content.sources()
    )
    if not values.deployment.blobfuse_enabled:
        copies = [model for model in values.models if "persistentVolumeClaim" in model.sources()]
        seconds += _COPY_SECONDS * len(copies)
    return seconds


def tied_to_one_place(values: ChartValues) -> bool:
    """Tell whether a volume keeps a second pod from starting elsewhere, so that no rollout may add one."""
    claims = [content.persistent_volume_claim for content in _contents(values)]
    return any(
        claim.access_mode == "ReadWriteOncePod"
        or (claim.access_mode == "ReadWriteOnce" and not claim.single_node)
        for claim in claims
        if claim.claim_name
    )


def _contents(values: ChartValues) -> list[Sourced]:
    return [*values.models, values.inference]
