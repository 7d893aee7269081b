"""The address at which a service is reached is one where a scoring pod really answers."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.serving import serving

from gpu_inference.service.endpoint import address_in_cluster, reachable_address
from gpu_inference.service.objects import Objects


@pytest.fixture
def objects(kubeconfig: Path) -> Objects:
    """Of a cluster that is not there: nothing here needs to ask it."""
    return Objects(kubeconfig, None, "default")


@pytest.fixture(params=["Healthy", "Starting", "It works!"])
def program(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A real HTTP server: the word it says on `/`, and its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if request.param == "Healthy" else 503)
            self.end_headers()
            self.wfile.write(request.param.encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield request.param, server.server_port


def service(port: int, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "abc", "namespace": "n"},
        "spec": {"ports": [{"port": port}], **spec},
        "status": {},
    }


def test_the_services_own_address_is_used_where_a_scoring_pod_answers(
    objects: Objects, program: tuple[str, int]
) -> None:
    word, port = program
    found = reachable_address(objects, service(port, clusterIP="127.0.0.1"))
    assert found == (None if word == "It works!" else f"127.0.0.1:{port}")


def test_a_load_balancers_address_comes_before_the_one_in_the_cluster(
    objects: Objects, program: tuple[str, int]
) -> None:
    word, port = program
    balanced = service(port, clusterIP="127.0.0.2")
    balanced["status"] = {"loadBalancer": {"ingress": [{"hostname": "localhost"}]}}
    found = reachable_address(objects, balanced)
    assert found == (None if word == "It works!" else f"localhost:{port}")


def test_a_service_without_an_address_is_not_reachable(objects: Objects) -> None:
    assert reachable_address(objects, service(80, clusterIP="None")) is None


def test_the_address_in_the_cluster_names_service_and_namespace() -> None:
    assert address_in_cluster(service(80)) == "abc.n"
