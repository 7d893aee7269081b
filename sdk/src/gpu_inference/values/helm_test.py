"""`helmTest.*`: the pod of `helm test`, which scores one request."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import KubernetesSection, Text
from gpu_inference.values.image import DIGEST, Registry


class HelmTestImage(KubernetesSection):
    """An image with python3, for those who do not want the service's own for this."""

    registry: Registry = Field(default="", description="Registry of the test's image; none unless given.")
    repository: Text = Field(
        default="", description="Name of an image with python3 for the test; the service's unless given."
    )
    tag: Annotated[Text, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")] = Field(
        default="", description="Tag of the test's image; the chart's appVersion unless given."
    )
    digest: Annotated[Text, StringConstraints(pattern=rf"^({DIGEST})?$")] = Field(
        default="", description="Digest of the test's image, which replaces the tag; none unless given."
    )


class HelmTest(KubernetesSection):
    """What `helm test` asks, and with which image."""

    request: Text = Field(
        default='{"data": [1, 2, 3]}',
        description="Body of the request that helm test scores, as JSON text that your script takes.",
    )
    image: HelmTestImage = Field(default_factory=HelmTestImage, description="The image of the pod that asks.")
