"""A trace of each scoring request, sent to an OpenTelemetry collector over OTLP/HTTP while that is asked for.

Nothing of OpenTelemetry is imported otherwise, and none of its types leaves this file. A collector that is
slow or away costs spans and never a request: a thread of their own sends them, from a queue that is bounded.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from gpu_inference_runtime import __version__
from gpu_inference_runtime.messages import Request
from gpu_inference_runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

# The scoring paths differ in the service's name alone, which every span carries as it is.
_ROUTE = "/score"

log = logging.getLogger("gpu_inference")


class Trace(Protocol):
    """The trace of one request."""

    def part(self, name: str) -> AbstractContextManager[object]:
        """Time a part of the request, on whatever thread it runs."""

    def answered(self, status: int) -> None:
        """Note the answer's status."""


class Traces(Protocol):
    """Traces of requests."""

    def request(self, request: Request, request_id: str) -> AbstractContextManager[Trace]:
        """Trace a request for as long as the context lasts."""

    def flush(self, seconds: float) -> None:
        """Send what has not been sent, and wait for that no longer than so many seconds."""


class NoTraces:
    """What there is while telemetry is off; one object is the trace of every request."""

    def request(self, request: Request, request_id: str) -> AbstractContextManager[Trace]:  # noqa: ARG002  (Traces has it)
        """Trace nothing."""
        return nullcontext(self)

    def part(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002  (Trace has it)
        """Time nothing."""
        return nullcontext()

    def answered(self, status: int) -> None:
        """Note nothing."""

    def flush(self, seconds: float) -> None:
        """Send nothing."""


def traces(settings: Settings) -> Traces:
    """Return the traces that the settings ask for. Called in the process that serves: it starts a thread."""
    if not settings.sends_traces:
        return NoTraces()
    # About 15 MiB and half a second: not for those who asked for nothing.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    from opentelemetry.util.re import parse_env_headers

    name = settings.telemetry_service_name or settings.service_name
    resource = Resource.create(
        {
            "service.name": name,
            # The pod's name, in a pod.
            "service.instance.id": socket.gethostname(),
            **_attributes(settings.resource_attributes or ""),
        }
    )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.traces_ratio)),
        resource=resource,
        # `flush` does this, within a time.
        shutdown_on_exit=False,
    )
    # As the standard has it: the variable names the collector, and each signal has its path there.
    endpoint = f"{(settings.otlp_endpoint or '').rstrip('/')}/v1/traces"
    headers = parse_env_headers(settings.otlp_headers or "", liberal=True)
    exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers)
    provider.add_span_processor(BatchSpanProcessor(_exporter_that_tells(exporter, endpoint)))
    log.info("Traces of %g of the requests go to %s, as service %s", settings.traces_ratio, endpoint, name)
    return _OpenTelemetry(provider)


class _OpenTelemetry:
    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("gpu_inference_runtime", __version__)

    @contextmanager
    def request(self, request: Request, request_id: str) -> Iterator[Trace]:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # The caller's trace goes on here. As in v1, the answer carries no traceparent.
        caller = TraceContextTextMapPropagator().extract(dict(request.headers))
        attributes = {
            "http.request.method": request.method,
            "http.route": _ROUTE,
            "gpu_inference.request_id": request_id,
        }
        with self._tracer.start_as_current_span(
            f"{request.method} {_ROUTE}", caller, SpanKind.SERVER, attributes
        ) as span:
            yield _OpenTelemetryTrace(self._tracer, span)

    def flush(self, seconds: float) -> None:
        # In a thread, because the exporter may be in the middle of its patience with the collector.
        ending = threading.Thread(target=self._provider.shutdown, name="traces-flush", daemon=True)
        ending.start()
        ending.join(seconds)


class _OpenTelemetryTrace:
    def __init__(self, tracer: Tracer, span: Span) -> None:
        from opentelemetry.trace import set_span_in_context

        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span)

    def part(self, name: str) -> AbstractContextManager[object]:
        return self._tracer.start_as_current_span(name, self._context)

    def answered(self, status: int) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)


def _attributes(text: str) -> dict[str, str]:
    """Return the pairs of OTEL_RESOURCE_ATTRIBUTES, whose values are percent-encoded."""
    pairs = (item.partition("=") for item in text.split(",") if "=" in item)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _exporter_that_tells(exporter: SpanExporter, endpoint: str) -> SpanExporter:
    """Return the exporter with one line in the log when it begins to fail and one when that ends.

    Its own lines come with every batch, for as long as a collector is away: only the last one is kept, as the
    reason.
    """
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    words = _LastWords()
    for name in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
        logger = logging.getLogger(name)
        logger.addHandler(words)
        logger.propagate = False

    class TellingExporter(SpanExporter):
        failing = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            failed = result is not SpanExportResult.SUCCESS
            if failed and not self.failing:
                log.error("Traces cannot be sent to %s and are dropped meanwhile: %s", endpoint, words.last)
            elif self.failing and not failed:
                log.info("Traces are sent to %s again", endpoint)
            self.failing = failed
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return TellingExporter()


class _LastWords(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        # The last line alone only says that time is up; the one before it says why.
        self._lines: deque[str] = deque(maxlen=2)

    @property
    def last(self) -> str:
        return " ".join(self._lines) or "the exporter gives no reason."

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
