"""`dataCollection.*`: where rows go that scripts collect, while `deployment.collect_model_data` is true."""

from pydantic import Field

from gpu_inference.values.base import Count, FreeForm, KubernetesSection


class DataCollection(KubernetesSection):
    """A volume for CSV files, and how much of it they may take."""

    volume: FreeForm = Field(
        default={},
        description="Volume for the rows: csi, emptyDir, ephemeral or persistentVolumeClaim, as in a pod.",
    )
    max_file_size_mb: Count = Field(
        default=16, description="Size at which the next file begins, in units of 2^20 bytes."
    )
    max_total_size_mb: Count = Field(
        default=1024,
        description="Size of all files together, beyond which the oldest go, in units of 2^20 bytes.",
    )
