"""A script's collected rows outlive its pods on a volume; traces of its requests arrive at a collector."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from tests.live.conftest import NO_DRAIN
from tests.live.kubernetes_objects import api_client, pods_of

from gpu_inference.helm import Helm
from gpu_inference.service import Service

# Collects what it is sent; asked for it, tells what lies on the volume.
SCRIPT = """
import json, os
from pathlib import Path
from azureml.monitoring import ModelDataCollector

def init():
    global inputs
    inputs = ModelDataCollector("net", designation="inputs", feature_names=["digit"])

def run(data):
    if data == '"rows"':
        folder = Path(os.environ["GPU_INFERENCE_MODEL_DATA_DIR"])
        return {path.name: path.read_text().splitlines() for path in folder.rglob("*.csv")}
    inputs.collect([json.loads(data)])
    return "collected"
"""
# With what the runtime image has: the exporter's own messages.
COLLECTOR = """
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        export = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in export.resource_spans:
            attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    found = {"name": span.name, "trace": span.trace_id.hex(), "key": self.headers["api-key"]}
                    print(json.dumps(found | attributes), flush=True)
        self.send_response(200)
        self.end_headers()

ThreadingHTTPServer(("", 4318), Handler).serve_forever()
"""
LABELS = {"app": "collector"}


@pytest.fixture
def release(namespace: str, kubeconfig: Path, runtime_image_in_cluster: str) -> Iterator[Service]:
    """A service that is not there yet, with a claim, a collector and a Secret beside it."""
    service = Service("collecting", namespace=namespace, kubeconfig=kubeconfig)
    core = client.CoreV1Api(api_client(service))
    for create, manifest in (
        (core.create_namespaced_persistent_volume_claim, claim()),
        (
            core.create_namespaced_secret,
            secret(),
        ),
        (core.create_namespaced_pod, collector(runtime_image_in_cluster)),
        (
            core.create_namespaced_service,
            {"metadata": {"name": "collector"}, "spec": {"selector": LABELS, "ports": [{"port": 4318}]}},
        ),
    ):
        create(namespace, manifest)
    yield service
    service.delete()
    service.close()
    core.delete_namespaced_pod("collector", namespace, grace_period_seconds=0)


def secret() -> dict[str, Any]:
    return {"metadata": {"name": "collector"}, "stringData": {"headers": "api-key=k"}}


def claim() -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": "rows"}, "spec": spec}


def collector(image: str) -> dict[str, Any]:
    container = {
        "name": "collector",
        "image": image,
        "command": ["/opt/gpu-inference/bin/python", "-c", COLLECTOR],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "metadata": {"name": "collector", "labels": LABELS},
        "spec": {
            "containers": [container],
            "securityContext": security,
            "automountServiceAccountToken": False,
        },
    }


def values(namespace: str, **more: Any) -> dict[str, Any]:
    return {
        "deployment": {"gpu_cores": 0, "collect_model_data": True, "enable_app_insights": True},
        "inference": {"entryScript": "score.py", "files": {"score.py": SCRIPT}},
        "dataCollection": {"volume": {"persistentVolumeClaim": {"claimName": "rows"}}},
        "telemetry": {
            "otlpEndpoint": f"http://collector.{namespace}:4318",
            "headersSecret": {"name": "collector"},
        },
        "podSecurityContext": {"fsGroup": 0},
        **NO_DRAIN,
        **more,
    }


def deploy(service: Service, chart: Path, **more: Any) -> str:
    """Install or upgrade, and return the name of the one pod that serves then."""
    helm = Helm(kubeconfig=service.kubeconfig)
    helm.upgrade(service.name, chart, values(service.namespace, **more), namespace=service.namespace)
    service.wait_for_deployment(timeout_sec=180)
    [pod] = pods_of(service)
    return str(pod.metadata.name)


def collected(service: Service) -> dict[str, list[str]]:
    """Return the collected digits by the pod that wrote them."""
    files: dict[str, list[str]] = json.loads(json.dumps(service.run('"rows"')))
    return {name.split(".")[1]: [line.partition(",")[0] for line in lines] for name, lines in files.items()}


def wait_until_collected(service: Service, expected: dict[str, list[str]]) -> None:
    deadline = time.monotonic() + 60
    while (found := collected(service)) != expected and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == expected


def wait_until_gone(service: Service, pod: str) -> None:
    core = client.CoreV1Api(api_client(service))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if pod not in {each.metadata.name for each in core.list_namespaced_pod(service.namespace).items}:
            return
        time.sleep(0.2)
    pytest.fail(f"The pod {pod} is still there")


def spans_at_the_collector(service: Service) -> list[dict[str, str]]:
    core = client.CoreV1Api(api_client(service))
    text = core.read_namespaced_pod_log("collector", service.namespace)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_collected_rows_outlive_their_pod_and_traces_arrive(release: Service, chart: Path) -> None:
    first = deploy(release, chart)
    for digit in (7, 3):
        assert release.run(json.dumps(digit)) == "collected"
    wait_until_collected(release, {first: ["digit", "7", "3"]})

    second = deploy(release, chart, podAnnotations={"example.com/again": "true"})
    # While it ends, the connection that is there may still lead to it.
    wait_until_gone(release, first)
    release.run("5")
    wait_until_collected(release, {first: ["digit", "7", "3"], second: ["digit", "5"]})

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        spans = spans_at_the_collector(release)
        if {span["service.instance.id"] for span in spans} == {first, second}:
            break
        time.sleep(0.5)
    # What the first pod had not sent when it was told to end came before it ended.
    names = [span["name"] for span in spans if span["service.instance.id"] == first]
    assert names.count("POST /score") == names.count("run") == names.count("queue") >= 3
    assert {(span["service.name"], span["k8s.namespace.name"], span["key"]) for span in spans} == {
        ("collecting", release.namespace, "k")
    }
    assert second in {span["service.instance.id"] for span in spans}
