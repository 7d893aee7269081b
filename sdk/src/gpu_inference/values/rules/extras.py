"""Rules about what users add to pods and release: nothing twice, nothing in the chart's own place."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpu_inference.values.chart import ChartValues

# Server-side apply refuses a second volume or container of a name, and a second mount at a path.
VOLUMES_OF_THE_CHART = re.compile(
    r"claim-[0-9a-f]{8}|(code|model-[0-9]+)(-ca)?|issuer|keys|model-data|model-scripts|shared-memory|tmp"
)
MOUNT_PATHS_OF_THE_CHART = re.compile(r"/dev/shm|/tmp|/(etc|var/lib)/gpu-inference(/.*)?")
CONTAINERS_OF_THE_CHART = re.compile(r"scoring|(copy|fetch)-(code|model-[0-9]+)")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what is there twice, what would count past the cap, and objects that are none."""
    volumes = [volume.name for volume in values.extra_volumes]
    yield from _clashes("extraVolumes", "the name", volumes, VOLUMES_OF_THE_CHART)
    paths = [mount.mount_path for mount in values.extra_volume_mounts]
    yield from _clashes("extraVolumeMounts", "the path", paths, MOUNT_PATHS_OF_THE_CHART)
    containers = [*values.init_containers, *values.extra_containers]
    names = [container.name for container in containers]
    yield from _clashes("initContainers and extraContainers", "the name", names, CONTAINERS_OF_THE_CHART)
    for container in containers:
        resources = (container.model_extra or {}).get("resources") or {}
        if any(values.cluster.gpu_resource in (resources.get(kind) or {}) for kind in ("requests", "limits")):
            yield (
                f"The container {container.name} asks for {values.cluster.gpu_resource}, which would pass the"
                " cap of cluster.gpu_count: only deployment.gpu_cores gives a pod GPUs."
            )
    if not all(isinstance(thing, str | dict) for thing in values.extra_objects):
        yield "extraObjects must be a list of objects, as mappings or as text."


def _clashes(where: str, what: str, given: Iterable[str], of_the_chart: re.Pattern[str]) -> Iterator[str]:
    for name, times in sorted(Counter(given).items()):
        if of_the_chart.fullmatch(name):
            yield f"{where} must not use {what} {name}: it is the chart's own."
        if times > 1:
            yield f"{where} use {what} {name} {times} times: keep one."
