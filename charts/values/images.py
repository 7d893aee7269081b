"""`image.*`, `imagePullSecrets[]` and `helmTest.*`: the images of the release's pods."""

from typing import Annotated, Literal

from charts.values.base import NonEmpty, Section, text
from pydantic import Field, StrictStr

# No scheme, no slash at the end: the image's name is put behind it.
Registry = Annotated[
    StrictStr,
    text(
        r"([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*)?",
        "be a registry's host, with port and path where it has them, without https:// and a slash at the end",
    ),
]
Tag = Annotated[StrictStr, text(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?", "be the tag of an image")]
Digest = Annotated[
    StrictStr, text(r"(sha256:[0-9a-f]{64})?", "be sha256: and 64 hexadecimal digits in lower case")
]


class Image(Section):
    """Which image the pods run; the default one has no model and only echoes what it is sent."""

    registry: Registry = Field(
        default="",
        description="Registry of the image, host with port and path; global.imageRegistry goes before it.",
    )
    repository: NonEmpty = Field(
        default="gpu-inference-runtime",
        description="Name of the image; its registry may stand in front.",
    )
    tag: Tag = Field(default="", description="Tag of the image; the chart's appVersion unless given.")
    digest: Digest = Field(
        default="",
        description="Digest of the image (sha256:…), which replaces the tag; none unless given.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="When a node pulls the image."
    )


class ImagePullSecret(Section):
    """A Secret with the credentials of a registry."""

    name: NonEmpty = Field(description="Name of the Secret.")


class HelmTestImage(Section):
    """An image with python3, for those who do not want the service's own for this."""

    registry: Registry = Field(default="", description="Registry of the test's image; none unless given.")
    repository: StrictStr = Field(
        default="", description="Name of an image with python3 for the test; the service's unless given."
    )
    tag: Tag = Field(default="", description="Tag of the test's image; the chart's appVersion unless given.")
    digest: Digest = Field(
        default="", description="Digest of the test's image, which replaces the tag; none unless given."
    )


class HelmTest(Section):
    """What `helm test` asks, and with which image."""

    request: StrictStr = Field(
        default='{"data": [1, 2, 3]}',
        description="Body of the request that helm test scores, as JSON text that your script takes.",
    )
    image: HelmTestImage = Field(default_factory=HelmTestImage, description="The image of the pod that asks.")
