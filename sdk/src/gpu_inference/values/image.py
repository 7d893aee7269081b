"""`image.*`: the image with the scoring server, the entry script and the models."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gpu_inference.values.base import KubernetesSection, Text

# No scheme, no slash at the end: the image's name is put behind it.
REGISTRY = r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*"
DIGEST = r"sha256:[0-9a-f]{64}"
Registry = Annotated[Text, StringConstraints(pattern=rf"^({REGISTRY})?$")]


class Image(KubernetesSection):
    """Which image the pods run; the default one has no model and only echoes what it is sent."""

    registry: Registry = Field(
        default="",
        description="Registry of the image, host with port and path; global.imageRegistry goes before it.",
    )
    repository: Annotated[Text, StringConstraints(min_length=1)] = Field(
        default="gpu-inference-runtime",
        description="Name of the image; its registry may stand in front.",
    )
    tag: Annotated[Text, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")] = Field(
        default="", description="Tag of the image; the chart's appVersion unless given."
    )
    digest: Annotated[Text, StringConstraints(pattern=rf"^({DIGEST})?$")] = Field(
        default="",
        description="Digest of the image (sha256:…), which replaces the tag; none unless given.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When a node pulls the image."
    )


class ImagePullSecret(KubernetesSection):
    """A Secret with the credentials of a registry."""

    name: Annotated[Text, StringConstraints(min_length=1)] = Field(description="Name of the Secret.")
