"""`cluster.*`: the GPUs that the cluster lends to this service."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import CountOrZero, Section, Text

# Only names with a domain are extended resources: the cap must never count cpu or memory as GPUs.
ResourceName = Annotated[
    Text,
    StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"),
]


class Cluster(Section):
    """What the cluster has for this service."""

    gpu_count: CountOrZero = Field(
        default=1,
        description="GPUs for all pods of this service together, never exceeded, in GPUs.",
    )
    gpu_resource: ResourceName = Field(
        default="nvidia.com/gpu",
        description="Kubernetes resource that one GPU is, for example a MIG profile.",
    )
    gpu_products: list[Text] = Field(
        default=[],
        description="GPU models for the pods, as in the node label nvidia.com/gpu.product; any unless given.",
        examples=[["NVIDIA-A100-SXM4-40GB"]],
    )

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """The cap reads an empty gpu_count as 1, whether null or absent."""
        return key == "gpu_count"
