"""Rules about collected rows and traces: v1 had one place for each, a cluster has none until it is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

# Those of restricted Pod Security that can be written to.
_VOLUMES = ("csi", "emptyDir", "ephemeral", "persistentVolumeClaim")
# The port, if any, is the last group; no user and password, which would be readable in the pod.
_ENDPOINT = re.compile(r"https?://([^/:@?#\s]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[^\s?#]*)?")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what is missing for collection and telemetry, or cannot be."""
    yield from _collection(values)
    yield from _telemetry(values)


def _collection(values: ChartValues) -> Iterator[str]:
    section = values.data_collection
    kinds = sorted(section.volume)
    if values.deployment.collect_model_data and not kinds:
        yield (
            "deployment.collect_model_data: true needs dataCollection.volume, where the rows go: for example"
            " {persistentVolumeClaim: {claimName: NAME}}, or {emptyDir: {sizeLimit: 2Gi}}, which goes with"
            " the pod."
        )
    if kinds and (len(kinds) > 1 or kinds[0] not in _VOLUMES):
        yield (
            "dataCollection.volume must have just one of csi, emptyDir, ephemeral and persistentVolumeClaim,"
            " which can be written to and fit restricted Pod Security, but has"
            f" {', '.join(kinds)}."
        )
    if section.max_total_size_mb < 2 * section.max_file_size_mb:
        yield (
            f"dataCollection.maxTotalSizeMb is {section.max_total_size_mb}, but must be at least twice"
            f" dataCollection.maxFileSizeMb, which is {section.max_file_size_mb}."
        )


def _telemetry(values: ChartValues) -> Iterator[str]:
    endpoint = values.telemetry.otlp_endpoint
    if values.deployment.enable_app_insights and not endpoint:
        yield (
            "deployment.enable_app_insights: true needs telemetry.otlpEndpoint, the URL of an OpenTelemetry"
            " collector that takes OTLP over HTTP, such as http://otel-collector.monitoring:4318."
        )
    if endpoint and not _ENDPOINT.fullmatch(endpoint):
        yield (
            f'telemetry.otlpEndpoint is "{endpoint}", but must be a URL such as'
            " http://otel-collector.monitoring:4318, without user, password and query: credentials go into"
            " telemetry.headersSecret."
        )
