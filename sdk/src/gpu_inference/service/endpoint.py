"""Finds an address at which this machine can reach a service."""

from collections.abc import Iterator

import requests

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.objects import Object, Objects
from gpu_inference.service.port_forward import PortForward

SCORING_PORT = 5001
_RESPONSE_SECONDS = 2
# The scoring server's responses to `/`. They tell it from another program at the same address.
_SCORING_SERVER_RESPONSES = {"Healthy", "Starting"}


def reachable_address(objects: Objects, service: Object) -> str | None:
    """Return the first `host` or `host:port` of the Service that responds to this machine, or None.

    The order is: load balancer, node port, cluster IP. The cluster IP is reachable from inside a cluster, and
    on the machine of an embedded cluster.
    """
    return next((address for address in _candidates(objects, service) if _responds(address)), None)


def forward_to_ready_pod(objects: Objects, release: str) -> PortForward:
    """Return a port forward to a ready pod of the service."""

    def choose_pod() -> str:
        for pod in objects.pods(release, "scoring"):
            conditions = pod["status"].get("conditions", [])
            if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
                return str(pod["metadata"]["name"])
        raise GpuInferenceError(f"No pod of {release} is ready.")

    return PortForward(objects.api, objects.namespace, choose_pod, SCORING_PORT)


def address_in_cluster(service: Object) -> str:
    """Return the Service's DNS name, which pods of any namespace can resolve."""
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


def _responds(address: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return (
                session.get(f"http://{address}/", timeout=_RESPONSE_SECONDS).text.strip()
                in _SCORING_SERVER_RESPONSES
            )
        except requests.RequestException:
            return False
