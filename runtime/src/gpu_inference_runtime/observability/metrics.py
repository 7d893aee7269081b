"""What the service counts and measures about itself, in Prometheus' terms. Times are in seconds."""

import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# From a small net on a GPU (about 1 ms) to the longest scoring timeout that v1 allowed (300 s).
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """All metrics of one process, in a registry of their own.

    Args:
        folder: where the processes of a server that has several keep their numbers, for each other to read.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        if folder:
            # What prometheus-client does by itself where the variable is there before it is imported.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        # Of what is the same in all processes.
        self._of_the_pod = CollectorRegistry()
        self.requests = Counter(
            "gpu_inference_requests",
            "Scoring requests by the status they were answered with",
            ["code"],
            registry=self._registry,
        )
        self.refusals = Counter(
            "gpu_inference_refusals",
            "Scoring requests refused before run(), by reason",
            ["reason"],
            registry=self._registry,
        )
        self.model_data_rows = Counter(
            "gpu_inference_model_data_rows",
            "Rows that the script gave to ModelDataCollector, by what became of them (written, dropped)",
            ["outcome"],
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "gpu_inference_request_seconds",
            "From a request's headers to its answer",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.queue_seconds = Histogram(
            "gpu_inference_queue_seconds",
            "Waiting for a free slot",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.run_seconds = Histogram(
            "gpu_inference_run_seconds",
            "Inside run(), its result's encoding included",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.busy_slots = Gauge(
            "gpu_inference_busy_slots",
            "Requests being worked on",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.busy_slots_average = Gauge(
            "gpu_inference_busy_slots_average",
            "Requests being worked on, averaged over the last 15 s",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.queued_requests = Gauge(
            "gpu_inference_queued_requests",
            "Requests that wait for a slot",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.capacity_slots = Gauge(
            "gpu_inference_capacity_slots",
            "Requests that may be worked on at once",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self.init_seconds = Gauge(
            "gpu_inference_init_seconds",
            "Loading the script and its init(); 0 until it has ended",
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def add(self, collector: Collector) -> None:
        """Show what the collector finds out whenever it is asked, in every process the same."""
        self._of_the_pod.register(collector)

    def watch(self, gauge: Gauge, function: Callable[[], float]) -> None:
        """Have the gauge show what the function returns; with several processes, as of `refresh`."""
        if self._folder:
            self._watched.append((gauge, function))
        else:
            gauge.set_function(function)

    def refresh(self) -> None:
        """Let the other processes see what this one's watched gauges are now."""
        for gauge, function in self._watched:
            gauge.set(function())

    def text(self) -> bytes:
        """Return all of them in Prometheus' text format, those of the other processes included."""
        registry = self._registry
        if self._folder:
            self.refresh()
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry) + generate_latest(self._of_the_pod)
