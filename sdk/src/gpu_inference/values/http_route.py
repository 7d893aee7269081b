"""`httpRoute.*`: the service behind a Gateway (Gateway API)."""

from pydantic import Field

from gpu_inference.values.base import FreeForm, KubernetesSection, Switch, Text
from gpu_inference.values.ingress import PATH, Hostname, Path


class HttpRoute(KubernetesSection):
    """The HTTPRoute; it forwards the scoring port alone. TLS is the Gateway's."""

    enabled: Switch = Field(
        default=False, description="Whether there is an HTTPRoute, which needs the Gateway API's CRDs."
    )
    parent_refs: list[FreeForm] = Field(
        default=[], description="Gateways that the route belongs to; at least one where it is enabled."
    )
    hostnames: list[Hostname] = Field(
        default=[], description="Host names of the service; the Gateway's unless given."
    )
    path: Path = Field(default="", description=PATH)
    timeouts: Switch = Field(
        default=True,
        description="Whether requests may take as long as queue and scoring may together, and a second more.",
    )
    filters: list[FreeForm] = Field(default=[], description="Filters of the route's rule; none unless given.")
    annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the HTTPRoute; none unless given."
    )
    labels: dict[Text, Text] = Field(
        default={}, description="Further labels of the HTTPRoute; none unless given."
    )
