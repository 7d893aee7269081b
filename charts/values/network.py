"""`service.*`, `serviceAccount.*`, `ingress.*`, `httpRoute.*`, `networkPolicy.*`: connections of the pods."""

from typing import Annotated, Literal

from charts.values.base import FreeForm, Port, PortOrZero, Section, text
from pydantic import Field, StrictBool, StrictStr


class Service(Section):
    """The Kubernetes Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        default="ClusterIP",
        description="How the Service is reached from outside the cluster.",
    )
    port: Port = Field(default=80, description="Port of the Service, which leads to the pods' port 5001.")
    node_port: PortOrZero = Field(
        default=0, description="Port of the nodes, for NodePort and LoadBalancer; 0 leaves it to Kubernetes."
    )
    load_balancer_class: StrictStr = Field(
        default="", description="Who makes the LoadBalancer; the cluster's default unless given."
    )
    load_balancer_source_ranges: list[StrictStr] = Field(
        default=[],
        description="Addresses that the LoadBalancer lets in, as CIDR; all unless given.",
    )
    external_traffic_policy: Literal["", "Cluster", "Local"] = Field(
        default="",
        description="Local keeps clients' addresses and skips nodes without pods; Cluster unless given.",
    )
    ip_family_policy: Literal["", "SingleStack", "PreferDualStack", "RequireDualStack"] = Field(
        default="", description="Whether the Service has IPv4 and IPv6; the cluster's choice unless given."
    )
    ip_families: list[Literal["IPv4", "IPv6"]] = Field(
        default=[], description="The Service's IP families in order; the cluster's choice unless given."
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the Service; none unless given."
    )
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further labels of the Service; none unless given."
    )


class ServiceAccount(Section):
    """The ServiceAccount of the scoring pods, whose token they see with tokenAuth.clusterIssuer alone."""

    create: StrictBool = Field(default=True, description="Whether the chart makes the ServiceAccount.")
    name: StrictStr = Field(
        default="",
        description="Name of the ServiceAccount; the service's or, without create, default unless given.",
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the ServiceAccount; none unless given."
    )


# What the API server takes for a host, of an Ingress as of an HTTPRoute.
Hostname = Annotated[
    StrictStr,
    text(
        r"(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
        "be a host name in lower case, such as models.example.com or *.example.com",
        max_length=253,
    ),
]
Path = Annotated[StrictStr, text(r"(/[^ ]*)?", "be a path that begins with a slash and has no spaces")]
PATH = "Path that leads to the service, with all below it; /api/v1/service/NAME unless given."


class IngressTls(Section):
    """One certificate."""

    secret_name: StrictStr = Field(default="", description="Secret with the certificate and its key.")
    hosts: list[Hostname] = Field(default=[], description="Hosts of the certificate; those of the Ingress.")


class Ingress(Section):
    """The Ingress; it forwards the scoring port alone."""

    enabled: StrictBool = Field(default=False, description="Whether there is an Ingress.")
    class_name: StrictStr = Field(
        default="", description="Which ingress controller serves it; the cluster's default unless given."
    )
    hosts: list[Hostname] = Field(default=[], description="Host names of the service; any unless given.")
    path: Path = Field(default="", description=PATH)
    tls: list[IngressTls] = Field(
        default=[],
        description="Certificates, with secretName and hosts (the Ingress's unless given); none by default.",
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={},
        description="Annotations of the Ingress, e.g. for cert-manager or timeouts; none unless given.",
    )
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further labels of the Ingress; none unless given."
    )


class HttpRoute(Section):
    """The HTTPRoute; it forwards the scoring port alone. TLS is the Gateway's."""

    enabled: StrictBool = Field(
        default=False, description="Whether there is an HTTPRoute, which needs the Gateway API's CRDs."
    )
    parent_refs: list[FreeForm] = Field(
        default=[], description="Gateways that the route belongs to; at least one where it is enabled."
    )
    hostnames: list[Hostname] = Field(
        default=[], description="Host names of the service; the Gateway's unless given."
    )
    path: Path = Field(default="", description=PATH)
    timeouts: StrictBool = Field(
        default=True,
        description="Whether requests may take as long as queue and scoring may together, and a second more.",
    )
    filters: list[FreeForm] = Field(default=[], description="Filters of the route's rule; none unless given.")
    annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the HTTPRoute; none unless given."
    )
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further labels of the HTTPRoute; none unless given."
    )


class NetworkPolicy(Section):
    """The NetworkPolicy of the scoring pods; it works where the cluster's network plugin enforces them."""

    enabled: StrictBool = Field(
        default=True,
        description="Whether a NetworkPolicy restricts the connections of the pods to those named here.",
    )
    ingress_from: list[FreeForm] = Field(
        default=[],
        description="Who may reach the scoring port 5001, as NetworkPolicy peers; everybody unless given.",
    )
    management_from: list[FreeForm] = Field(
        default=[{"namespaceSelector": {}}],
        description="Who may reach probes and metrics on port 9090, as peers; [] is everybody.",
    )
    allow_external_egress: StrictBool = Field(
        default=True,
        description="Whether the pods may reach everything; false allows DNS and what the values name.",
    )
    egress: list[FreeForm] = Field(
        default=[],
        description="Egress rules of the pods without allowExternalEgress; none unless given.",
    )
    job_egress: list[FreeForm] = Field(
        default=[],
        description="What the keys' Job may reach (the API server), as egress rules; all unless given.",
    )
