"""The service's metrics in Prometheus' text format, made for each scrape. Times are in seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_inference_runtime.scoring.counts import Counts, Histogram
from gpu_inference_runtime.settings import Settings

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

_HISTOGRAMS = {
    "request_seconds": "Time from a request's headers to its response",
    "queue_seconds": "Time spent waiting for a slot",
    "run_seconds": "Time in run(), including the encoding of its result",
    "batch_requests": "Requests served by one call of run(), while batching is on",
}
_GAUGES = {
    "busy_slots": "Requests in progress",
    "busy_slots_average": "Requests in progress, averaged over the last 15 s",
    "queued_requests": "Requests waiting for a slot",
    "capacity_slots": "Requests that may be in progress at the same time",
}


class Metrics:
    """Exports the counts as metrics.

    Args:
        counts: the numbers.
        settings: where the models are.
    """

    def __init__(self, counts: Counts, settings: Settings) -> None:
        self._counts = counts
        self._models = find_models(settings.app_root)
        self._registry: CollectorRegistry | None = None

    def scrape(self) -> tuple[bytes, str]:
        """Return the text and its content type. Safe to call on any thread."""
        # Imported here: a service without scrapes saves the memory and the time.
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        from gpu_inference_runtime.observability.gpu_memory import GpuMemory

        if self._registry is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            registry.register(GpuMemory())
            self._registry = registry
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def collect(self) -> "Iterator[Metric]":
        """Yield all metrics."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        counts = self._counts
        for name, text, label, numbers in (
            ("requests", "Scoring requests, by the status of their response", "code", counts.requests),
            ("refusals", "Scoring requests that did not reach run(), by reason", "reason", counts.refusals),
            (
                "model_data_rows",
                "Rows given to ModelDataCollector, by outcome (written, dropped)",
                "outcome",
                counts.model_data_rows,
            ),
        ):
            counter = CounterMetricFamily(f"gpu_inference_{name}", text, labels=[label])
            # Copy the numbers in one step, because the event loop keeps counting.
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
            "Time to load the script and run init(); 0 until it has ended",
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


def find_models(app_root: Path) -> list[tuple[str, str]]:
    """Return name and version of each model in `azureml-models`, sorted, without what volumes add."""
    try:
        return sorted(
            (model.name, version.name)
            for model in (app_root / "azureml-models").iterdir()
            if model.is_dir() and not model.name.startswith(".") and model.name != "lost+found"
            for version in model.iterdir()
            if version.name.isdecimal() and version.is_dir()
        )
    except OSError:
        return []
