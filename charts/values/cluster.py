"""`cluster.*`: the GPUs that the cluster lends to this service, and what guards them there."""

from typing import Annotated

from charts.values.base import NonNegativeInt, SnakeCaseSection, text
from pydantic import Field, StrictBool, StrictStr

# Only names with a domain are extended resources: the cap must never count cpu or memory as GPUs.
ResourceName = Annotated[
    StrictStr,
    text(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?",
        "be the name of an extended resource, such as nvidia.com/gpu",
    ),
]
LabelKey = Annotated[
    StrictStr,
    text(
        r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?",
        "be the key of a node label",
    ),
]
DeviceClassName = Annotated[
    StrictStr, text(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", "be the name of a DeviceClass")
]


class Quota(SnakeCaseSection):
    """A ResourceQuota, which counts the GPUs of all services of the namespace together."""

    gpus: NonNegativeInt = Field(
        default=0,
        description="GPUs for all pods of the namespace together, as a ResourceQuota, in GPUs; 0 makes none.",
    )


class ResourceClaim(SnakeCaseSection):
    """Dynamic resource allocation (DRA) of the GPUs, instead of the device plugin's extended resource."""

    enabled: StrictBool = Field(
        default=False,
        description="Whether pods claim their GPUs from a DRA driver (Kubernetes 1.34), not by gpu_resource.",
    )
    device_class_name: DeviceClassName = Field(
        default="gpu.nvidia.com", description="DeviceClass of the driver that the GPUs are claimed from."
    )
    selectors: list[StrictStr] = Field(
        default=[],
        description="CEL expressions that each claimed GPU must fulfil; none unless given.",
        examples=[["device.attributes['gpu.nvidia.com'].productName.startsWith('NVIDIA A100')"]],
    )


class Cluster(SnakeCaseSection):
    """What the cluster has for this service."""

    gpu_count: NonNegativeInt = Field(
        default=1,
        description="GPUs for all pods of this service together, never exceeded, in GPUs.",
    )
    gpu_resource: ResourceName = Field(
        default="nvidia.com/gpu",
        description="Kubernetes resource that one GPU is: a MIG profile, amd.com/gpu, gpu.intel.com/i915.",
    )
    gpu_products: list[StrictStr] = Field(
        default=[],
        description="GPU models for the pods, as in the node label gpu_product_label; any unless given.",
        examples=[["NVIDIA-A100-SXM4-40GB"]],
    )
    gpu_product_label: LabelKey = Field(
        default="nvidia.com/gpu.product", description="Node label that tells the GPU model."
    )
    gpu_toleration: StrictBool = Field(
        default=True,
        description="Whether pods with GPUs tolerate the taint of GPU nodes, named as gpu_resource.",
    )
    resource_claim: ResourceClaim = Field(
        default_factory=ResourceClaim, description="GPUs from a DRA driver instead of a device plugin."
    )
    quota: Quota = Field(
        default_factory=Quota, description="A quota for the namespace, made by one service in it at most."
    )
    admission_policy: StrictBool = Field(
        default=False,
        description="Whether the API server refuses pods beyond gpu_count (kubectl scale too); for admins.",
    )
    check_nodes: StrictBool = Field(
        default=False,
        description="Whether Helm looks first if nodes have these GPUs; it must be allowed to list nodes.",
    )

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """The cap reads an empty gpu_count as 1, whether null or absent."""
        return key == "gpu_count"
