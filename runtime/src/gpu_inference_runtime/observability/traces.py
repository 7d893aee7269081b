"""Traces of scoring requests, sent to an OpenTelemetry collector over OTLP/HTTP if the settings ask for it.

OpenTelemetry is imported only then, and none of its types leaves this file. A slow or absent collector costs
spans but never a request: a separate thread sends the spans from a bounded queue.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from gpu_inference_runtime import __version__
from gpu_inference_runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

# The scoring paths differ only in the service's name, which every span carries anyway.
_ROUTE = "/score"

log = logging.getLogger("gpu_inference")


class Trace(Protocol):
    """The trace of one request."""

    @property
    def parent_of_scripts(self) -> tuple[bytes, bytes, int]:
        """Trace id, span id and flags of the parent of the script's own spans."""

    def ran(self, waited_from: float, seconds: float) -> None:
        """Record that `run()` has just ended.

        Args:
            waited_from: when the request began to wait, on the monotonic clock, in seconds.
            seconds: how long `run()` took.
        """

    def end(self, status: int) -> None:
        """Record the response's status and complete the trace."""


class Traces(Protocol):
    """Makes the traces of requests."""

    def begin(self, method: bytes, headers: Mapping[bytes, bytes], request_id: str) -> Trace:
        """Begin the trace of a request."""

    def flush(self, seconds: float) -> None:
        """Send the remaining spans; wait for at most this many seconds."""


def traces(settings: Settings) -> Traces | None:
    """Return what makes traces; None if the settings ask for none. Starts a thread: call it in the front."""
    if not settings.sends_traces:
        return None
    # Imported here: they cost about 15 MiB and half a second.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
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

    class Ids(RandomIdGenerator):
        """Lets the next span's id be chosen: the script needs the id of `run` before that span is made."""

        next_span_id = 0

        def generate_span_id(self) -> int:
            chosen, self.next_span_id = self.next_span_id, 0
            return chosen or super().generate_span_id()

    ids = Ids()
    provider = TracerProvider(
        id_generator=ids,
        sampler=ParentBased(TraceIdRatioBased(settings.traces_ratio)),
        resource=resource,
        # `flush` does this, with a time limit.
        shutdown_on_exit=False,
    )
    # The standard says that the variable names the collector, and each signal has its own path there.
    endpoint = f"{(settings.otlp_endpoint or '').rstrip('/')}/v1/traces"
    headers = parse_env_headers(settings.otlp_headers or "", liberal=True)
    exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers)
    provider.add_span_processor(BatchSpanProcessor(_logging_exporter(exporter, endpoint)))
    log.info("Traces of %g of the requests go to %s, as service %s", settings.traces_ratio, endpoint, name)
    return _OpenTelemetry(provider, ids)


class _OpenTelemetry:
    def __init__(self, provider: TracerProvider, ids: Any) -> None:
        self._provider = provider
        self._ids = ids
        self._tracer = provider.get_tracer("gpu_inference_runtime", __version__)

    def begin(self, method: bytes, headers: Mapping[bytes, bytes], request_id: str) -> Trace:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        # Continue the caller's trace. As in v1, the response carries no traceparent.
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        caller = TraceContextTextMapPropagator().extract(sent)
        verb = method.decode("latin-1")
        attributes = {
            "http.request.method": verb,
            "http.route": _ROUTE,
            "gpu_inference.request_id": request_id,
        }
        span = self._tracer.start_span(f"{verb} {_ROUTE}", caller, SpanKind.SERVER, attributes)
        return _OpenTelemetryTrace(self._tracer, self._ids, span)

    def flush(self, seconds: float) -> None:
        # On a thread, because the exporter may be waiting for the collector.
        ending = threading.Thread(target=self._provider.shutdown, name="traces-flush", daemon=True)
        ending.start()
        ending.join(seconds)


class _OpenTelemetryTrace:
    def __init__(self, tracer: Tracer, ids: Any, span: Span) -> None:
        from opentelemetry.trace import set_span_in_context

        self._tracer = tracer
        self._ids = ids
        self._run_id = ids.generate_span_id()
        self._span = span
        self._context = set_span_in_context(span)

    @property
    def parent_of_scripts(self) -> tuple[bytes, bytes, int]:
        context = self._span.get_span_context()
        return context.trace_id.to_bytes(16, "big"), self._run_id.to_bytes(8, "big"), context.trace_flags

    def ran(self, waited_from: float, seconds: float) -> None:
        now = time.time_ns()
        began = now - int(seconds * 1e9)
        waited = now - int((time.monotonic() - waited_from) * 1e9)
        self._part("queue", waited, max(began, waited))
        self._ids.next_span_id = self._run_id
        self._part("run", began, now)

    def end(self, status: int) -> None:
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    def _part(self, name: str, began: int, ended: int) -> None:
        self._tracer.start_span(name, self._context, start_time=began).end(ended)


def _attributes(text: str) -> dict[str, str]:
    """Return the pairs of OTEL_RESOURCE_ATTRIBUTES, whose values are percent-encoded."""
    pairs = (item.partition("=") for item in text.split(",") if "=" in item)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _logging_exporter(exporter: SpanExporter, endpoint: str) -> SpanExporter:
    """Return an exporter that logs one line when it begins to fail, and one when it works again.

    OpenTelemetry's own loggers write lines with every batch while a collector is away. They are kept out of
    the log; only the last ones serve as the reason.
    """
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    messages = _LastMessages()
    for name in ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal"):
        logger = logging.getLogger(name)
        logger.addHandler(messages)
        logger.propagate = False

    class LoggingExporter(SpanExporter):
        failing = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            failed = result is not SpanExportResult.SUCCESS
            if failed and not self.failing:
                log.error(
                    "Traces cannot be sent to %s and are dropped meanwhile: %s", endpoint, messages.last
                )
            elif self.failing and not failed:
                log.info("Traces are sent to %s again", endpoint)
            self.failing = failed
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return LoggingExporter()


class _LastMessages(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        # The last line only says that time is up; the one before it says why.
        self._lines: deque[str] = deque(maxlen=2)

    @property
    def last(self) -> str:
        return " ".join(self._lines) or "the exporter gives no reason."

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
