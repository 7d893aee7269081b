"""`ingress.*`: the service behind a host of the cluster's ingress controller."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import KubernetesSection, Switch, Text

# What the API server takes for a host, of an Ingress as of an HTTPRoute.
Hostname = Annotated[
    Text,
    StringConstraints(
        pattern=r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", max_length=253
    ),
]
Path = Annotated[Text, StringConstraints(pattern=r"^(/[^ ]*)?$")]
PATH = "Path that leads to the service, with all below it; /api/v1/service/NAME unless given."


class IngressTls(KubernetesSection):
    """One certificate."""

    secret_name: Text = Field(default="", description="Secret with the certificate and its key.")
    hosts: list[Hostname] = Field(default=[], description="Hosts of the certificate; those of the Ingress.")


class Ingress(KubernetesSection):
    """The Ingress; it forwards the scoring port alone."""

    enabled: Switch = Field(default=False, description="Whether there is an Ingress.")
    class_name: Text = Field(
        default="", description="Which ingress controller serves it; the cluster's default unless given."
    )
    hosts: list[Hostname] = Field(default=[], description="Host names of the service; any unless given.")
    path: Path = Field(default="", description=PATH)
    tls: list[IngressTls] = Field(
        default=[],
        description="Certificates, with secretName and hosts (the Ingress's unless given); none by default.",
    )
    annotations: dict[Text, Text] = Field(
        default={},
        description="Annotations of the Ingress, e.g. for cert-manager or timeouts; none unless given.",
    )
    labels: dict[Text, Text] = Field(
        default={}, description="Further labels of the Ingress; none unless given."
    )
