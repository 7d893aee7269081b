"""`keys.*`: where the service's two keys come from, unless `deployment.*` gives them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import KubernetesSection, Text

# What Kubernetes takes as the name of an entry of a Secret.
EntryName = Annotated[Text, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]


class Keys(KubernetesSection):
    """A Secret of the user's own."""

    existing_secret: Text = Field(
        default="",
        description="Your own Secret that holds both keys; the chart's Secret unless given.",
    )
    primary_key_name: EntryName = Field(
        default="primaryKey", description="Name of the first key in existingSecret."
    )
    secondary_key_name: EntryName = Field(
        default="secondaryKey", description="Name of the second key in existingSecret."
    )
