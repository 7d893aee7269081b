"""Finds the address at which a client on this machine reaches a service."""

from collections.abc import Iterator

import requests

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.objects import Object, Objects
from gpu_inference.service.port_forward import PortForward

SCORING_PORT = 5001
_ANSWER_SECONDS = 2
# What a scoring pod says on `/`; another program that happens to listen at the address says something else.
_OURS = {"Healthy", "Starting"}


def reachable_address(objects: Objects, service: Object) -> str | None:
    """Return `host` or `host:port` of the Service that answers from here, or None.

    A load balancer's address comes first, then a node's port, then the Service's own address in the cluster,
    which leads there on the embedded cluster and from within any cluster.
    """
    return next((address for address in _candidates(objects, service) if _answers(address)), None)


def forwarded(objects: Objects, release: str) -> PortForward:
    """Return a way to the service's pods through the API server."""

    def choose_pod() -> str:
        for pod in objects.pods(release, "scoring"):
            conditions = pod["status"].get("conditions", [])
            if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
                return str(pod["metadata"]["name"])
        raise GpuInferenceError(f"No pod of {release} is ready.")

    return PortForward(objects.api, objects.namespace, choose_pod, SCORING_PORT)


def address_in_cluster(service: Object) -> str:
    """Return the name that pods of any namespace reach the Service by."""
    metadata = service["metadata"]
    return f"{metadata['name']}.{metadata['namespace']}"


def _candidates(objects: Objects, service: Object) -> Iterator[str]:
    spec = service["spec"]
    port = spec["ports"][0]
    for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress", []):
        yield _with_port(ingress.get("ip") or ingress["hostname"], port["port"])
    if node_port := port.get("nodePort"):
        for address in objects.node_addresses():
            yield _with_port(address, node_port)
    if spec.get("clusterIP", "None") != "None":
        yield _with_port(spec["clusterIP"], port["port"])


def _with_port(host: str, port: int) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port == 80 else f"{host}:{port}"


def _answers(address: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"http://{address}/", timeout=_ANSWER_SECONDS).text.strip() in _OURS
        except requests.RequestException:
            return False
