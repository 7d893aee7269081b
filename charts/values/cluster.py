"""`cluster.*`: the GPUs that this service may use, and the policies that limit them."""

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
    """A ResourceQuota for the GPUs of all services of the namespace."""

    gpus: NonNegativeInt = Field(
        default=0,
        description="Maximum number of GPUs for all pods of the namespace, in GPUs; 0 creates no quota.",
    )


class ResourceClaim(SnakeCaseSection):
    """GPUs by dynamic resource allocation (DRA), instead of a device plugin's extended resource."""

    enabled: StrictBool = Field(
        default=False,
        description="Whether pods claim GPUs from a DRA driver instead of gpu_resource (Kubernetes 1.34"
        " or newer).",
    )
    device_class_name: DeviceClassName = Field(
        default="gpu.nvidia.com", description="DeviceClass of the claimed GPUs."
    )
    selectors: list[StrictStr] = Field(
        default=[],
        description="CEL expressions that each claimed GPU must satisfy.",
        examples=[["device.attributes['gpu.nvidia.com'].productName.startsWith('NVIDIA A100')"]],
    )


class Cluster(SnakeCaseSection):
    """The pool of GPUs for this service."""

    gpu_count: NonNegativeInt = Field(
        default=1,
        description="Maximum number of GPUs for all pods of this service together, in GPUs.",
    )
    gpu_resource: ResourceName = Field(
        default="nvidia.com/gpu",
        description="Extended resource that is one GPU, such as a MIG profile, amd.com/gpu or"
        " gpu.intel.com/i915.",
    )
    gpu_products: list[StrictStr] = Field(
        default=[],
        description="Allowed GPU models, as in the node label gpu_product_label; empty allows any.",
        examples=[["NVIDIA-A100-SXM4-40GB"]],
    )
    gpu_product_label: LabelKey = Field(
        default="nvidia.com/gpu.product", description="Node label that holds the GPU model."
    )
    gpu_toleration: StrictBool = Field(
        default=True,
        description="Whether pods with GPUs tolerate the taint of GPU nodes, whose key is gpu_resource.",
    )
    resource_claim: ResourceClaim = Field(
        default_factory=ResourceClaim, description="GPUs from a DRA driver instead of a device plugin."
    )
    quota: Quota = Field(
        default_factory=Quota,
        description="ResourceQuota for the GPUs of the namespace; at most one service of a namespace may"
        " create it.",
    )
    admission_policy: StrictBool = Field(
        default=False,
        description="Whether the API server rejects pods beyond gpu_count, also from kubectl scale;"
        " needs cluster admin rights.",
    )
    check_nodes: StrictBool = Field(
        default=False,
        description="Whether Helm checks that nodes have gpu_count GPUs; needs permission to list nodes.",
    )

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """The cap counts gpu_count as 1 if it is null or absent."""
        return key == "gpu_count"
