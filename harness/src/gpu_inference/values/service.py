"""`service.*` and `serviceAccount.*`: how the service is reached, and who its pods are to the cluster."""

from typing import Literal

from pydantic import Field

from gpu_inference.values.base import KubernetesSection, Switch, Text


class Service(KubernetesSection):
    """The Kubernetes Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = Field(
        default="ClusterIP",
        description="How the Service is reached from outside the cluster.",
    )
    annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the Service; none unless given."
    )


class ServiceAccount(KubernetesSection):
    """The ServiceAccount of the scoring pods, whose token they never get to see."""

    create: Switch = Field(default=True, description="Whether the chart makes the ServiceAccount.")
    name: Text = Field(
        default="",
        description="Name of the ServiceAccount; the service's or, without create, default unless given.",
    )
    annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the ServiceAccount; none unless given."
    )
