"""Looks at keys from outside: what each pod makes of one, and where in a namespace one can be read."""

import base64
import contextlib
import gzip
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
from kubernetes import client
from kubernetes.dynamic.exceptions import ServiceUnavailableError
from tests.live.kubernetes_objects import api_client, dynamic_client, pods_of

from gpu_inference.service import Service
from gpu_inference.service.endpoint import SCORING_PORT
from gpu_inference.service.port_forward import PortForward

HELM_RELEASE = "helm.sh/release.v1"


def statuses(service: Service, key: str) -> set[int]:
    """Return what a real request with this key comes to, at every pod of the service."""
    return {status_at(service, pod.metadata.name, key) for pod in pods_of(service)}


def status_at(service: Service, pod: str, key: str) -> int:
    """Return what a real request with this key comes to at one pod."""
    forward = PortForward(api_client(service), service.namespace, lambda: pod, SCORING_PORT)
    with contextlib.closing(forward), requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {key}"}
        answer = session.post(f"http://{forward.address}/score", "1", headers=headers, timeout=30)
        return answer.status_code


def lives(service: Service) -> dict[str, int]:
    """Return the service's pods, and how often each was restarted."""
    return {
        pod.metadata.uid: sum(status.restart_count for status in pod.status.container_statuses)
        for pod in pods_of(service)
    }


def delete_together(services: Sequence[Service]) -> None:
    """Delete services at the same time: a namespace alone takes as long as their pods may take to end."""
    with ThreadPoolExecutor(len(services) or 1) as threads:
        list(threads.map(Service.delete, services))


def places_of(service: Service, keys: tuple[str, ...]) -> set[str]:
    """Return where one of the keys can be read in the namespace: objects of any kind, releases, logs."""
    forms = [form for key in keys for form in (key, base64.b64encode(key.encode()).decode())]
    return {place for place, text in _texts(service) if any(form in text for form in forms)}


def _texts(service: Service) -> Iterator[tuple[str, str]]:
    for kind, thing in _objects(service):
        yield f"{kind}/{thing['metadata']['name']}", json.dumps(thing)
        if thing.get("type") == HELM_RELEASE:
            yield f"release/{thing['metadata']['name']}", json.dumps(stored_release(thing))
    core = client.CoreV1Api(api_client(service))
    for pod in core.list_namespaced_pod(service.namespace).items:
        for container in (*(pod.spec.init_containers or []), *pod.spec.containers):
            name = pod.metadata.name
            log = core.read_namespaced_pod_log(name, service.namespace, container=container.name)
            assert log, f"{container.name} of {name} has written nothing: there is no log to look at."
            yield f"log/{name}", log


def stored_release(secret: dict[str, Any]) -> dict[str, Any]:
    """Return what Helm keeps about a revision: chart, values, manifest, notes."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    release: dict[str, Any] = json.loads(gzip.decompress(packed))
    # The chart's own files are in it as base64, some of them in ways that hide text from a search.
    release["chart"] = {
        kind: [{**file, "data": base64.b64decode(file["data"]).decode()} for file in release["chart"][kind]]
        for kind in ("templates", "files")
    }
    return release


def _objects(service: Service) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object of the namespace, of whatever kind, events included."""
    dynamic = dynamic_client(service)
    for resource in dynamic.resources.search():
        if resource.namespaced and "list" in resource.verbs and not resource.kind.endswith("List"):
            # What an aggregated server has not got ready yet (metrics) is nothing that keeps a key.
            with contextlib.suppress(ServiceUnavailableError):
                for item in dynamic.get(resource, namespace=service.namespace).items:
                    yield resource.kind, item.to_dict()
