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
    """The image of the scoring pods; the default image has no model and echoes requests."""

    registry: Registry = Field(
        default="",
        description="Registry of the image, as host with port and path; global.imageRegistry overrides it.",
    )
    repository: NonEmpty = Field(
        default="gpu-inference-runtime",
        description="Name of the image; may include its registry.",
    )
    tag: Tag = Field(default="", description="Tag of the image; defaults to the chart's appVersion.")
    digest: Digest = Field(
        default="",
        description="Digest of the image (sha256:…), used instead of the tag.",
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        default="IfNotPresent", description="Pull policy of the image."
    )


class ImagePullSecret(Section):
    """A Secret with the credentials of a registry."""

    name: NonEmpty = Field(description="Name of the Secret.")


class HelmTestImage(Section):
    """An image with python3, as an alternative to the service's image."""

    registry: Registry = Field(default="", description="Registry of the test's image.")
    repository: StrictStr = Field(
        default="", description="Name of an image with python3; defaults to the service's image."
    )
    tag: Tag = Field(default="", description="Tag of the test's image; defaults to the chart's appVersion.")
    digest: Digest = Field(default="", description="Digest of the test's image, used instead of the tag.")


class HelmTest(Section):
    """The request that `helm test` sends, and the image that sends it."""

    request: StrictStr = Field(
        default='{"data": [1, 2, 3]}',
        description="Body of the request that helm test scores, as JSON text.",
    )
    image: HelmTestImage = Field(default_factory=HelmTestImage, description="Image of the test's pod.")
