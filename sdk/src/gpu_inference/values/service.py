"""`service.*` and `serviceAccount.*`: how the service is reached, and who its pods are to the cluster."""

from typing import Annotated, Literal

from pydantic import Field

from gpu_inference.values.base import Count, CountOrZero, KubernetesSection, Switch, Text

Port = Annotated[Count, Field(le=65535)]
PortOrZero = Annotated[CountOrZero, Field(le=65535)]


class Service(KubernetesSection):
    """The Kubernetes Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        default="ClusterIP",
        description="How the Service is reached from outside the cluster.",
    )
    port: Port = Field(default=80, description="Port of the Service, which leads to the pods' port 5001.")
    node_port: PortOrZero = Field(
        default=0, description="Port of the nodes, for NodePort and LoadBalancer; 0 leaves it to Kubernetes."
    )
    load_balancer_class: Text = Field(
        default="", description="Who makes the LoadBalancer; the cluster's default unless given."
    )
    load_balancer_source_ranges: list[Text] = Field(
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
    annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the Service; none unless given."
    )
    labels: dict[Text, Text] = Field(
        default={}, description="Further labels of the Service; none unless given."
    )


class ServiceAccount(KubernetesSection):
    """The ServiceAccount of the scoring pods, whose token they see with tokenAuth.clusterIssuer alone."""

    create: Switch = Field(default=True, description="Whether the chart makes the ServiceAccount.")
    name: Text = Field(
        default="",
        description="Name of the ServiceAccount; the service's or, without create, default unless given.",
    )
    annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the ServiceAccount; none unless given."
    )
