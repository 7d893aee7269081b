"""enable_app_insights: a trace of each request at a real OTLP receiver, and never at a request's cost."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.ports import free_ports
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer
from tests.serving import serving

SCRIPT = """
import sys
def init(): pass
def run(data):
    if data == "fail":
        raise RuntimeError("as asked")
    if data == "propagate":
        # What an instrumented HTTP client does with the headers of each request that it sends.
        from opentelemetry.propagate import inject
        headers = {}
        inject(headers)
        return headers
    if data == "modules":
        return sorted(sys.modules)
    return data
"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Receiver:
    """Takes OTLP over HTTP, as a collector does; holds its answers back while it is told to."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._exports: list[ExportTraceServiceRequest] = []
        self._changed = threading.Condition()
        self.answering = threading.Event()
        self.answering.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver._changed:
                    receiver.requests.append((self.path, dict(self.headers)))
                    receiver._exports.append(ExportTraceServiceRequest.FromString(body))
                    receiver._changed.notify_all()
                receiver.answering.wait(PATIENCE_SECONDS)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for export in self._exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resource(self) -> dict[str, str]:
        attributes = self._exports[0].resource_spans[0].resource.attributes
        return {pair.key: pair.value.string_value for pair in attributes}

    def wait_for_spans(self, number: int) -> list[Span]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.spans) >= number, PATIENCE_SECONDS)
            return self.spans


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    with serving(receiver.server):
        try:
            yield receiver
        finally:
            receiver.answering.set()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def telemetry(url: str, **more: str) -> dict[str, str]:
    return {
        "AML_APP_INSIGHTS_ENABLED": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        # Not every 5 s, so that tests need not wait.
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "GPU_INFERENCE_FRONT_END": "azureml",
        **more,
    }


def attributes(span: Span) -> dict[str, Any]:
    kinds = ((pair.key, pair.value, pair.value.WhichOneof("value")) for pair in span.attributes)
    return {key: getattr(value, kind) for key, value, kind in kinds if kind}


def by_name(spans: list[Span]) -> dict[str, Span]:
    named = {span.name: span for span in spans}
    assert len(named) == len(spans)
    return named


def traced(start_server: StartServer, url: str, **more: str) -> Server:
    server = start_server(SCRIPT, **telemetry(url, **more))
    server.wait_ready()
    return server


def test_a_request_is_a_span_with_its_wait_and_run_below_it(
    start_server: StartServer, receiver: Receiver
) -> None:
    server = traced(
        start_server,
        receiver.url,
        OTEL_SERVICE_NAME="digits",
        OTEL_RESOURCE_ATTRIBUTES="k8s.namespace.name=vision,team=see%20%26%20speak",
        OTEL_EXPORTER_OTLP_HEADERS="api-key=secret-of-mine",
    )
    answer = server.score("x", traceparent=f"00-{TRACE}-{PARENT}-01", **{"x-request-id": "my-id"})
    assert answer.status_code == 200
    # As v1's server did: what came in is not sent back.
    assert "traceparent" not in answer.headers
    spans = by_name(receiver.wait_for_spans(3))
    assert set(spans) == {"POST /score", "queue", "run"}
    request = spans["POST /score"]
    assert request.kind == Span.SPAN_KIND_SERVER
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/score",
        "http.response.status_code": 200,
        "gpu_inference.request_id": "my-id",
    }
    assert request.status.code == Status.STATUS_CODE_UNSET
    for part in (spans["queue"], spans["run"]):
        assert (part.trace_id, part.parent_span_id) == (request.trace_id, request.span_id)
        assert request.start_time_unix_nano <= part.start_time_unix_nano <= part.end_time_unix_nano
    [(path, headers)] = {request[0]: request for request in receiver.requests}.values()
    assert (path, headers["api-key"]) == ("/v1/traces", "secret-of-mine")
    resource = receiver.resource
    assert (resource["service.name"], resource["k8s.namespace.name"]) == ("digits", "vision")
    assert resource["team"] == "see & speak"
    assert resource["service.instance.id"]
    assert "secret-of-mine" not in server.log


def test_what_a_script_asks_of_others_belongs_to_the_callers_trace(
    start_server: StartServer, receiver: Receiver
) -> None:
    server = traced(start_server, receiver.url)
    headers = server.score("propagate", traceparent=f"00-{TRACE}-{PARENT}-01").json()
    run = by_name(receiver.wait_for_spans(3))["run"]
    assert headers == {"traceparent": f"00-{TRACE}-{run.span_id.hex()}-01"}


def test_an_instrumentation_key_without_a_collector_is_logged(
    start_server: StartServer,
) -> None:
    server = start_server(SCRIPT, AML_APP_INSIGHTS_ENABLED="true", AML_APP_INSIGHTS_KEY="secret-of-mine")
    server.wait_ready()
    assert server.score("x").json() == "x"
    assert "AML_APP_INSIGHTS_KEY is ignored: telemetry goes to an OpenTelemetry collector" in server.log
    assert "secret-of-mine" not in server.log


def test_failures_and_refusals_are_traced_with_their_status(
    start_server: StartServer, receiver: Receiver
) -> None:
    server = traced(start_server, receiver.url, GPU_INFERENCE_MAX_BODY_BYTES="10")
    assert [server.score(data).status_code for data in ("fail", "x" * 11)] == [502, 413]
    requests = [span for span in receiver.wait_for_spans(4) if span.name == "POST /score"]
    found = {attributes(span)["http.response.status_code"]: span for span in requests}
    assert found[502].status.code == Status.STATUS_CODE_ERROR
    assert attributes(found[502])["error.type"] == "502"
    # A client's mistake is no failure of the service.
    assert found[413].status.code == Status.STATUS_CODE_UNSET
    assert receiver.resource["service.name"] == "mnist"


def test_the_ratio_decides_unless_the_caller_has_decided(
    start_server: StartServer, receiver: Receiver
) -> None:
    server = traced(start_server, receiver.url, GPU_INFERENCE_TRACES_RATIO="0")
    server.score("not sampled")
    server.score("not sampled", traceparent=f"00-{TRACE}-{PARENT}-00")
    server.score("no traceparent at all", traceparent="nonsense")
    server.score("sampled", traceparent=f"00-{TRACE}-{PARENT}-01")
    server.process.terminate()
    assert server.wait_for_exit() == 0
    assert sorted(span.name for span in receiver.spans) == ["POST /score", "queue", "run"]


def test_a_collector_that_is_away_costs_no_request_and_one_line(start_server: StartServer) -> None:
    [port] = free_ports(1)
    server = traced(start_server, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="2")
    assert {server.score("x").status_code for _ in range(20)} == {200}
    server.wait_for_log(f"Traces cannot be sent to http://127.0.0.1:{port}/v1/traces")
    assert server.score("x").status_code == 200
    with receiving(port) as receiver:

        def sent_again() -> bool:
            server.score("x")
            return "are sent to" in server.log

        server.wait_until(sent_again, "traces are sent again")
        receiver.wait_for_spans(3)
    assert server.log.count("Traces cannot be sent") == 1
    assert "Transient error" in server.log.partition("Traces cannot be sent")[2].partition("\n")[0]


def test_a_hanging_collector_delays_no_answer_and_no_stop(
    start_server: StartServer, receiver: Receiver
) -> None:
    receiver.answering.clear()
    server = traced(
        start_server, receiver.url, OTEL_BSP_MAX_QUEUE_SIZE="16", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="4"
    )
    assert server.score("first").status_code == 200
    receiver.wait_for_spans(1)
    # Many more than the queue to the collector takes.
    assert {server.score("x").status_code for _ in range(50)} == {200}
    server.process.terminate()
    assert server.wait_for_exit() == 0
    assert not receiver.answering.is_set()


def test_spans_that_wait_are_sent_before_the_server_ends(
    start_server: StartServer, receiver: Receiver
) -> None:
    server = traced(start_server, receiver.url, OTEL_BSP_SCHEDULE_DELAY="3600000")
    for _ in range(5):
        server.score("x")
    assert receiver.spans == []
    server.process.terminate()
    assert server.wait_for_exit() == 0
    assert len(receiver.spans) == 15


def test_telemetry_and_collection_are_imported_only_if_used(start_server: StartServer) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    modules = server.score("modules").json()
    assert "gpu_inference_script.worker" in modules
    heavy = ("opentelemetry", "google", "requests", "gpu_inference_script.stand_ins.model_data")
    assert [name for name in modules if name.partition(".")[0] in heavy or name in heavy] == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"GPU_INFERENCE_TRACES_RATIO": "1.5"},
            "GPU_INFERENCE_TRACES_RATIO is '1.5' but must be a number from 0 to 1.",
        ),
        (
            {"GPU_INFERENCE_MODEL_DATA_FILE_MB": "600"},
            "GPU_INFERENCE_MODEL_DATA_TOTAL_MB is 1024, but must be at least twice",
        ),
    ],
)
def test_settings_that_cannot_work_end_the_start_with_a_sentence(
    start_server: StartServer, settings: dict[str, str], sentence: str
) -> None:
    server = start_server(**settings)
    assert server.wait_for_exit() == 1
    assert sentence in server.log
