"""The service's numbers in Prometheus' text format, made when they are asked for. Times are in seconds."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gpu_inference_runtime.observability.model_versions import models_in
from gpu_inference_runtime.scoring.counts import Counts, Histogram
from gpu_inference_runtime.settings import Settings

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

_HISTOGRAMS = {
    "request_seconds": "From a request's headers to its answer",
    "queue_seconds": "Waiting for a free slot",
    "run_seconds": "Inside run(), its result's encoding included",
    "batch_requests": "Requests answered by one call of run(), while batching is on",
}
_GAUGES = {
    "busy_slots": "Requests being worked on",
    "busy_slots_average": "Requests being worked on, averaged over the last 15 s",
    "queued_requests": "Requests that wait for a slot",
    "capacity_slots": "Requests that may be worked on at once",
}


class Metrics:
    """Shows what was counted.

    Args:
        counts: the numbers.
        settings: where the models lie.
    """

    def __init__(self, counts: Counts, settings: Settings) -> None:
        self._counts = counts
        self._models = models_in(settings.app_root)
        self._registry: CollectorRegistry | None = None

    def scrape(self) -> tuple[bytes, str]:
        """Return the text and its content type. May be called on any thread."""
        # Imported here: a service that nobody scrapes needs neither the memory nor the time.
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        from gpu_inference_runtime.observability.gpu_memory import GpuMemory

        if self._registry is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            registry.register(GpuMemory())
            self._registry = registry
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def collect(self) -> "Iterator[Metric]":
        """Yield all metrics as they are now."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        counts = self._counts
        for name, text, label, numbers in (
            ("requests", "Scoring requests by the status they were answered with", "code", counts.requests),
            ("refusals", "Scoring requests refused before run(), by reason", "reason", counts.refusals),
            (
                "model_data_rows",
                "Rows that the script gave to ModelDataCollector, by what became of them (written, dropped)",
                "outcome",
                counts.model_data_rows,
            ),
        ):
            counter = CounterMetricFamily(f"gpu_inference_{name}", text, labels=[label])
            # A copy, made in one step: the event loop goes on counting.
            for value, number in dict(numbers).items():
                counter.add_metric([str(value)], number)
            yield counter
        for name, text in _HISTOGRAMS.items():
            histogram: Histogram = getattr(counts, name)
            yield HistogramMetricFamily(
                f"gpu_inference_{name}", text, buckets=_cumulated(histogram), sum_value=histogram.sum
            )
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"gpu_inference_{name}", text, value=float(counts.gauges[name]()))
        yield GaugeMetricFamily(
            "gpu_inference_init_seconds",
            "Loading the script and its init(); 0 until it has ended",
            value=counts.init_seconds,
        )
        models = InfoMetricFamily("gpu_inference_model", "Models in the image", labels=["model", "version"])
        for name, version in self._models:
            models.add_metric([name, version], {})
        if models.samples:
            yield models


def _cumulated(histogram: Histogram) -> list[tuple[str, float]]:
    buckets = []
    total = 0
    for bound, number in zip((*histogram.bounds, float("inf")), list(histogram.buckets), strict=True):
        total += number
        buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), float(total)))
    return buckets
