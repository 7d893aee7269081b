"""`extraVolumes[]`, `extraContainers[]` and the like: what users add to the pods, in Kubernetes' words."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from gpu_inference.values.base import KubernetesSection, Text

# What the API server takes for the name of a volume or a container.
Name = Annotated[Text, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Extra(KubernetesSection):
    """A thing of Kubernetes' own, of which the chart knows only how it is told from others."""

    model_config = ConfigDict(extra="allow")


class ExtraVolume(Extra):
    """A volume, as in a pod."""

    name: Name = Field(description="Name of the volume.")


class ExtraVolumeMount(Extra):
    """A mount, as in a container."""

    name: Name = Field(description="Name of the volume.")
    mount_path: Annotated[Text, StringConstraints(pattern=r"^/[^:]*$")] = Field(
        description="Where the scoring container sees it."
    )


class ExtraContainer(Extra):
    """A container, as in a pod; without a securityContext of its own it gets the scoring container's."""

    name: Name = Field(description="Name of the container.")
    image: Annotated[Text, StringConstraints(min_length=1)] = Field(description="Its image.")
