"""A second Deployment in a release, such as a router, changes nothing of what is told about the service.

The API server here is one of the tests' own, which holds the objects of `observed/` and obeys selectors.
"""

import copy
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.kubeconfigs import write_kubeconfig
from tests.serving import serving

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service import Service, services

OBSERVED = Path(__file__).parent / "observed"
COMPONENT = "app.kubernetes.io/component"
KINDS = {
    "deployments": "deployments",
    "replicasets": "replica_sets",
    "pods": "pods",
    "jobs": "jobs",
    "events": "warnings",
}


def matches(labels: dict[str, str], selector: str) -> bool:
    """Whether labels fit a selector of `key=value` and `key in (a, b)`."""
    for key, value, values in re.findall(r"([^,=\s]+)(?:=([^,]+)| in \(([^)]*)\))", selector):
        if labels.get(key) not in ([value] if value else values.split(",")):
            return False
    return True


class Cluster(ThreadingHTTPServer):
    """An API server that lists objects."""

    daemon_threads = True

    def __init__(self, has_router: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.has_router = has_router
        self.objects: dict[str, Any] = {}

    def items(self, path: str, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.objects[KINDS[path.rpartition("/")[2]]]
        [selector], [field] = query.get("labelSelector", [""]), query.get("fieldSelector", [""])
        if selector:
            found = [each for each in found if matches(each["metadata"]["labels"], selector)]
        if field.startswith("metadata.name="):
            found = [each for each in found if field == f"metadata.name={each['metadata']['name']}"]
        return found


class _Handler(BaseHTTPRequestHandler):
    server: Cluster

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.endswith("/log"):
            pod = url.path.split("/")[-2]
            body = self.server.objects["logs"].get(pod, "").encode()
        else:
            body = json.dumps({"items": self.server.items(url.path, parse_qs(url.query))}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def with_router(objects: dict[str, Any]) -> None:
    """Add a router beside the service: of the same release and revision, and failing in a way of its own."""
    scoring = [pod for pod in objects["pods"] if pod["metadata"]["labels"][COMPONENT] == "scoring"]
    for kind, originals in (
        ("deployments", objects["deployments"]),
        ("replica_sets", objects["replica_sets"]),
        ("pods", scoring),
    ):
        routers = copy.deepcopy(originals)
        for router in routers:
            metadata = router["metadata"]
            metadata["name"] = f"router-{metadata['name']}"
            metadata["labels"][COMPONENT] = "router"
            if "pod-template-hash" in metadata["labels"]:
                metadata["labels"]["pod-template-hash"] = "0router0"
            for container in router.get("status", {}).get("containerStatuses", []):
                container["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "no such router"}}
        # First, as the API server lists them by name.
        objects[kind] = routers + objects[kind]


@pytest.fixture(params=["alone", "with a router"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with serving(Cluster(request.param == "with a router")) as server:
        yield server


def client_of(cluster: Cluster, name: str, folder: Path) -> tuple[str, Path]:
    """Let the cluster hold what was observed; return the service's name and a kubeconfig."""
    objects = json.loads((OBSERVED / f"{name}.json").read_text())
    cluster.objects.update(objects, deployments=[objects["deployment"]])
    if cluster.has_router:
        with_router(cluster.objects)
    kubeconfig = write_kubeconfig(folder / "kubeconfig", f"http://127.0.0.1:{cluster.server_address[1]}")
    return objects["deployment"]["metadata"]["name"], kubeconfig


@pytest.mark.parametrize(
    ("name", "state", "error"),
    [
        ("init_raises", "Failed", "json.decoder.JSONDecodeError"),
        ("out_of_memory", "Unhealthy", "ran out of memory"),
        ("healthy", "Healthy", "None"),
    ],
)
def test_the_state_is_that_of_the_scoring_pods(
    cluster: Cluster, tmp_path: Path, name: str, state: str, error: str
) -> None:
    service, kubeconfig = client_of(cluster, name, tmp_path)
    status = Service(service, kubeconfig=kubeconfig).status()
    assert status.state == state
    assert error in str(status.error)


def test_a_release_is_listed_as_one_service(cluster: Cluster, tmp_path: Path) -> None:
    service, kubeconfig = client_of(cluster, "healthy", tmp_path)
    assert services(kubeconfig=kubeconfig) == [service]


def test_a_router_is_no_service(cluster: Cluster, tmp_path: Path) -> None:
    service, kubeconfig = client_of(cluster, "healthy", tmp_path)
    assert Service(service, kubeconfig=kubeconfig).exists()
    with pytest.raises(GpuInferenceError, match=f"There is no service router-{service}"):
        Service(f"router-{service}", kubeconfig=kubeconfig).status()
