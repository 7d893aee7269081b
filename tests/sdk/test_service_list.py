"""`gpu-inference list` and `state`, before an API server that answers with what a real one sent."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.sdk.test_service_components import matches

from gpu_inference.cli import main

OBSERVED = Path(__file__).parent / "observed"
KINDS = {"deployments": "deployment", "replicasets": "replica_sets", "pods": "pods", "jobs": "jobs"}


class ApiServer(ThreadingHTTPServer):
    """Lists the objects of services in `observed/`, and remembers what it was asked for."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []
        self.services = [json.loads((OBSERVED / f"{name}.json").read_text()) for name in names]

    def items(self, resource: str, labels: str, fields: str) -> list[dict[str, Any]]:
        """Return the objects of one kind, selected by release and name."""
        if resource == "events":
            return [event for service in self.services for event in service["warnings"]]
        found: list[dict[str, Any]] = []
        for service in self.services:
            of_kind = service[KINDS[resource]]
            found += of_kind if isinstance(of_kind, list) else [of_kind]
        return [
            each
            for each in found
            if matches(each["metadata"]["labels"], labels)
            and fields in ("", f"metadata.name={each['metadata']['name']}")
        ]

    def log(self, pod: str) -> str:
        """Return the end of a pod's log."""
        return next(str(service["logs"][pod]) for service in self.services if pod in service["logs"])


class _Answer(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append(url.path)
        options = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = url.path.split("/")
        if parts[-1] == "log":
            body = self.server.log(parts[-2])
        else:
            items = self.server.items(
                parts[-1], options.get("labelSelector", ""), options.get("fieldSelector", "")
            )
            body = json.dumps({"items": items})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Cluster:
    """Runs API servers for the commands."""

    def __init__(self, folder: Path) -> None:
        self._kubeconfig = folder / "kubeconfig"
        self.servers: list[ApiServer] = []

    def call(self, words: list[str], services: list[str]) -> list[str]:
        """Run a command where these services are; return the paths that it asked for."""
        server = ApiServer(services)
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        self._kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "c",
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": address}}],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )
        assert main([*words, "--kubeconfig", str(self._kubeconfig)]) == 0
        return server.asked


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    for server in cluster.servers:
        server.shutdown()
        server.server_close()


def test_list_names_each_service_with_its_state(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.call(["list"], ["healthy", "no_gpu", "init_raises"])
    assert capsys.readouterr().out.splitlines() == [
        "healthy Healthy",
        "no-gpu Unschedulable",
        "init-fails Failed",
    ]


def test_list_asks_as_often_for_many_services_as_for_one(cluster: Cluster) -> None:
    for_one = cluster.call(["list"], ["healthy"])
    for_three = cluster.call(["list"], ["healthy", "no_gpu", "no_image"])
    assert len(for_one) == len(for_three) == 5
    assert len(set(for_one)) == 5


def test_list_as_json_tells_each_reason(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.call(["list", "--output", "json"], ["healthy", "init_raises"])
    healthy, failed = json.loads(capsys.readouterr().out)
    assert healthy == {"name": "healthy", "state": "Healthy", "error": None}
    assert (failed["name"], failed["state"]) == ("init-fails", "Failed")
    assert "Traceback" in failed["error"]


def test_list_of_an_empty_namespace_is_empty_json(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.call(["list", "--output", "json"], [])
    assert json.loads(capsys.readouterr().out) == []


def test_state_as_json_is_one_object(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.call(["state", "no-gpu", "--output", "json"], ["healthy", "no_gpu"])
    printed = capsys.readouterr()
    state = json.loads(printed.out)
    assert (state["name"], state["state"]) == ("no-gpu", "Unschedulable")
    assert state["error"]
    assert printed.err == ""


def test_state_as_text_keeps_the_reason_out_of_standard_output(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.call(["state", "no-gpu"], ["healthy", "no_gpu"])
    printed = capsys.readouterr()
    assert printed.out == "Unschedulable\n"
    assert "GPU" in printed.err or "gpu" in printed.err
