"""`cluster.*`: the GPUs that the cluster lends to this service, and what guards them there."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import CountOrZero, Section, Switch, Text

# Only names with a domain are extended resources: the cap must never count cpu or memory as GPUs.
_QUALIFIED = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"
ResourceName = Annotated[Text, StringConstraints(pattern=_QUALIFIED)]
LabelKey = Annotated[
    Text,
    StringConstraints(
        pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
    ),
]
DeviceClassName = Annotated[Text, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class Quota(Section):
    """A ResourceQuota, which counts the GPUs of all services of the namespace together."""

    gpus: CountOrZero = Field(
        default=0,
        description="GPUs for all pods of the namespace together, as a ResourceQuota, in GPUs; 0 makes none.",
    )


class ResourceClaim(Section):
    """Dynamic resource allocation (DRA) of the GPUs, instead of the device plugin's extended resource."""

    enabled: Switch = Field(
        default=False,
        description="Whether pods claim their GPUs from a DRA driver (Kubernetes 1.34), not by gpu_resource.",
    )
    device_class_name: DeviceClassName = Field(
        default="gpu.nvidia.com", description="DeviceClass of the driver that the GPUs are claimed from."
    )
    selectors: list[Text] = Field(
        default=[],
        description="CEL expressions that each claimed GPU must fulfil; none unless given.",
        examples=[["device.attributes['gpu.nvidia.com'].productName.startsWith('NVIDIA A100')"]],
    )


class Cluster(Section):
    """What the cluster has for this service."""

    gpu_count: CountOrZero = Field(
        default=1,
        description="GPUs for all pods of this service together, never exceeded, in GPUs.",
    )
    gpu_resource: ResourceName = Field(
        default="nvidia.com/gpu",
        description="Kubernetes resource that one GPU is: a MIG profile, amd.com/gpu, gpu.intel.com/i915.",
    )
    gpu_products: list[Text] = Field(
        default=[],
        description="GPU models for the pods, as in the node label gpu_product_label; any unless given.",
        examples=[["NVIDIA-A100-SXM4-40GB"]],
    )
    gpu_product_label: LabelKey = Field(
        default="nvidia.com/gpu.product", description="Node label that tells the GPU model."
    )
    gpu_toleration: Switch = Field(
        default=True,
        description="Whether pods with GPUs tolerate the taint of GPU nodes, named as gpu_resource.",
    )
    resource_claim: ResourceClaim = Field(
        default_factory=ResourceClaim, description="GPUs from a DRA driver instead of a device plugin."
    )
    quota: Quota = Field(
        default_factory=Quota, description="A quota for the namespace, made by one service in it at most."
    )
    admission_policy: Switch = Field(
        default=False,
        description="Whether the API server refuses pods beyond gpu_count (kubectl scale too); for admins.",
    )
    check_nodes: Switch = Field(
        default=False,
        description="Whether Helm looks first if nodes have these GPUs; it must be allowed to list nodes.",
    )

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """The cap reads an empty gpu_count as 1, whether null or absent."""
        return key == "gpu_count"
