"""`keys.*`: where the service's two keys come from, unless `deployment.*` gives them."""

from pydantic import Field

from gpu_inference.values.base import KubernetesSection, Text


class Keys(KubernetesSection):
    """A Secret of the user's own."""

    existing_secret: Text = Field(
        default="",
        description="Your own Secret with primaryKey and secondaryKey; the chart's Secret unless given.",
    )
