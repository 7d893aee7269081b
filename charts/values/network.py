"""`service.*`, `serviceAccount.*`, `ingress.*`, `httpRoute.*`, `networkPolicy.*`: connections of the pods."""

from typing import Annotated, Literal

from charts.values.base import FreeForm, Port, PortOrZero, Section, text
from pydantic import Field, StrictBool, StrictStr


class Service(Section):
    """The Kubernetes Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        default="ClusterIP",
        description="Type of the Service.",
    )
    port: Port = Field(default=80, description="Port of the Service; it forwards to port 5001 of the pods.")
    node_port: PortOrZero = Field(
        default=0, description="Node port for the types NodePort and LoadBalancer; 0 lets Kubernetes choose."
    )
    load_balancer_class: StrictStr = Field(
        default="", description="Class of the LoadBalancer; defaults to the cluster's default."
    )
    load_balancer_source_ranges: list[StrictStr] = Field(
        default=[],
        description="Networks (CIDR) that the LoadBalancer admits; empty admits all.",
    )
    external_traffic_policy: Literal["", "Cluster", "Local"] = Field(
        default="",
        description="Traffic policy; Local keeps client addresses and skips nodes without pods; defaults"
        " to Cluster.",
    )
    ip_family_policy: Literal["", "SingleStack", "PreferDualStack", "RequireDualStack"] = Field(
        default="", description="IP family policy (IPv4, IPv6 or both); defaults to the cluster's choice."
    )
    ip_families: list[Literal["IPv4", "IPv6"]] = Field(
        default=[], description="IP families in order of preference; defaults to the cluster's choice."
    )
    annotations: dict[StrictStr, StrictStr] = Field(default={}, description="Annotations of the Service.")
    labels: dict[StrictStr, StrictStr] = Field(default={}, description="Additional labels of the Service.")


class ServiceAccount(Section):
    """The ServiceAccount of the scoring pods; its token is mounted only with tokenAuth.clusterIssuer."""

    create: StrictBool = Field(default=True, description="Whether the chart creates the ServiceAccount.")
    name: StrictStr = Field(
        default="",
        description="Name of the ServiceAccount; defaults to the service's name, or to default if create"
        " is false.",
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the ServiceAccount."
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
PATH = "Path prefix of the service; defaults to /api/v1/service/NAME."


class IngressTls(Section):
    """One certificate."""

    secret_name: StrictStr = Field(default="", description="Secret with the certificate and its key.")
    hosts: list[Hostname] = Field(
        default=[], description="Hosts of the certificate; defaults to the hosts of the Ingress."
    )


class Ingress(Section):
    """The Ingress; it forwards the scoring port alone."""

    enabled: StrictBool = Field(default=False, description="Whether to create an Ingress.")
    class_name: StrictStr = Field(default="", description="IngressClass; defaults to the cluster's default.")
    hosts: list[Hostname] = Field(default=[], description="Host names of the service; empty matches any.")
    path: Path = Field(default="", description=PATH)
    tls: list[IngressTls] = Field(
        default=[],
        description="TLS certificates, each with secretName and hosts (default: the Ingress's hosts).",
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={},
        description="Annotations of the Ingress, for example for cert-manager or timeouts.",
    )
    labels: dict[StrictStr, StrictStr] = Field(default={}, description="Additional labels of the Ingress.")


class HttpRoute(Section):
    """The HTTPRoute; it forwards the scoring port alone. TLS is the Gateway's."""

    enabled: StrictBool = Field(
        default=False, description="Whether to create an HTTPRoute; needs the CRDs of the Gateway API."
    )
    parent_refs: list[FreeForm] = Field(
        default=[], description="Gateways that the route attaches to; at least one if it is enabled."
    )
    hostnames: list[Hostname] = Field(
        default=[], description="Host names of the service; defaults to the Gateway's."
    )
    path: Path = Field(default="", description=PATH)
    timeouts: StrictBool = Field(
        default=True,
        description="Whether the route sets a request timeout of one second more than the service's own.",
    )
    filters: list[FreeForm] = Field(default=[], description="Filters of the route's rule.")
    annotations: dict[StrictStr, StrictStr] = Field(default={}, description="Annotations of the HTTPRoute.")
    labels: dict[StrictStr, StrictStr] = Field(default={}, description="Additional labels of the HTTPRoute.")


class NetworkPolicy(Section):
    """The NetworkPolicy of the scoring pods; it works where the cluster's network plugin enforces them."""

    enabled: StrictBool = Field(
        default=True,
        description="Whether to create a NetworkPolicy for the pods.",
    )
    ingress_from: list[FreeForm] = Field(
        default=[],
        description="Peers that may reach the scoring port 5001, as in a NetworkPolicy; empty allows all.",
    )
    management_from: list[FreeForm] = Field(
        default=[{"namespaceSelector": {}}],
        description="Peers that may reach probes and metrics on port 9090, as in a NetworkPolicy; empty"
        " allows all.",
    )
    allow_external_egress: StrictBool = Field(
        default=True,
        description="Whether the pods may connect to anything; false allows only DNS and what the values"
        " name.",
    )
    egress: list[FreeForm] = Field(
        default=[],
        description="Additional egress rules of the pods if allowExternalEgress is false.",
    )
    job_egress: list[FreeForm] = Field(
        default=[],
        description="Egress rules of the key Job, which connects to the API server; empty allows all.",
    )
