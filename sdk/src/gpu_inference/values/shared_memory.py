"""`sharedMemory.*`: memory that the processes of a pod share."""

from typing import Annotated

from pydantic import Field, Strict

from gpu_inference.values.base import KubernetesSection

AmountOrZero = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]


class SharedMemory(KubernetesSection):
    """`/dev/shm`, which is 64 MiB unless asked for: too small for data loaders and several GPUs."""

    size_gb: AmountOrZero = Field(
        default=0,
        description="Size of /dev/shm in units of 2^30 bytes, counted into pods' memory; 0 leaves 64 MiB.",
    )
