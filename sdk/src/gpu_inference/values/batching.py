"""`batching.*`: whether one call of the script's `run()` may take what several requests hold."""

from typing import Literal

from pydantic import Field

from gpu_inference.values.base import Count, KubernetesSection, Switch


class Batching(KubernetesSection):
    """How requests that wait are put together, and how much of them goes into one call."""

    mode: Literal["none", "merge", "schema", "array"] = Field(
        default="none",
        description="How waiting requests are put into one call of run(); none: each has a call of its own.",
    )
    max_rows: Count = Field(default=256, description="Most rows of one call.")
    max_bytes: Count = Field(default=16777216, description="Most bytes of the requests in one call.")
    dtype: Literal["float32", "float64", "uint8", "int32", "int64"] = Field(
        default="float32", description="Type of the numbers in the array that run() takes in mode array."
    )
    fast_json: Switch = Field(
        default=False, description="Whether json.loads in scripts is a faster one, in any mode."
    )
