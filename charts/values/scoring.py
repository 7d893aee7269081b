"""Values of the scoring pods: autoscaling, rollouts, spreading, and what users add to them."""

from typing import Annotated, Literal

from charts.values.base import (
    FreeForm,
    NonEmpty,
    NonNegativeInt,
    NonNegativeNumber,
    PositiveInt,
    Section,
    text,
)
from pydantic import ConfigDict, Field, StrictBool, StrictStr

# Kubernetes' maximum stabilization window.
StabilizationSeconds = Annotated[NonNegativeInt, Field(le=3600)]


class ExternalMetric(Section):
    """A metric of external.metrics.k8s.io with the busy slots of all pods of the service."""

    name: StrictStr = Field(
        default="",
        description="External metric with the busy slots of all pods; required by the engine hpa.",
        examples=["gpu_inference_busy_slots_average"],
    )
    selector: dict[StrictStr, StrictStr] = Field(
        default={}, description="Labels that the metric's series must have."
    )


class Autoscaling(Section):
    """How an autoscaler sets the number of pods."""

    engine: Literal["keda", "hpa"] = Field(
        default="keda",
        description="Autoscaler: keda (polls the pods) or hpa (HorizontalPodAutoscaler on externalMetric).",
    )
    scale_down_stabilization_seconds: StabilizationSeconds = Field(
        default=60,
        description="Stabilization window before a scale-down, in seconds.",
    )
    external_metric: ExternalMetric = Field(
        default_factory=ExternalMetric, description="Metric for the engine hpa."
    )


class Batching(Section):
    """How waiting requests are combined into one call of the script."""

    mode: Literal["none", "merge", "schema", "array"] = Field(
        default="none",
        description="How waiting requests are combined into one call of run(); none calls run() once per"
        " request.",
        json_schema_extra={"variable": "GPU_INFERENCE_BATCHING"},
    )
    max_rows: PositiveInt = Field(
        default=256,
        description="Maximum number of rows per call, in rows.",
        json_schema_extra={"variable": "GPU_INFERENCE_BATCH_MAX_ROWS"},
    )
    max_bytes: PositiveInt = Field(
        default=16777216,
        description="Maximum size of the requests per call, in bytes.",
        json_schema_extra={"variable": "GPU_INFERENCE_BATCH_MAX_BYTES"},
    )
    dtype: Literal["float32", "float64", "uint8", "int32", "int64"] = Field(
        default="float32",
        description="Element type of the array that run() receives in mode array.",
        json_schema_extra={"variable": "GPU_INFERENCE_ARRAY_DTYPE"},
    )
    fast_json: StrictBool = Field(
        default=False,
        description="Whether json.loads in the script uses a faster parser, in any mode.",
        json_schema_extra={"variable": "GPU_INFERENCE_FAST_JSON"},
    )


class Drain(Section):
    """The two waiting times between a pod's termination and its last request."""

    pre_stop_sleep_seconds: NonNegativeInt = Field(
        default=5,
        description="Time between leaving the Service's endpoints and SIGTERM, in seconds.",
    )
    seconds: NonNegativeInt = Field(
        default=10,
        description="Time that a pod still accepts requests after SIGTERM, in seconds.",
    )


class PodDisruptionBudget(Section):
    """A PodDisruptionBudget. No minAvailable: set to the replica count, it would block node drains."""

    enabled: StrictBool = Field(
        default=True, description="Whether to limit evictions, for example during a node drain."
    )
    max_unavailable: PositiveInt = Field(
        default=1, description="Maximum number of unavailable pods during evictions, in pods."
    )


class Rollout(Section):
    """Deadline of a rollout."""

    pull_seconds: NonNegativeInt = Field(
        default=600,
        description="Time for finding a node and pulling images, beside a pod's start, before a rollout"
        " counts as failed, in seconds.",
    )


class TopologySpreadConstraint(Section):
    """A topology spread constraint, as in a Kubernetes pod."""

    max_skew: PositiveInt = Field(description="Maximum difference between two topology domains, in pods.")
    topology_key: NonEmpty = Field(description="Node label whose values are the topology domains.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="What happens to a pod that would exceed the difference."
    )
    label_selector: FreeForm | None = Field(
        default=None, description="Pods to count; defaults to the service's pods."
    )
    match_label_keys: list[NonEmpty] | None = Field(
        default=None, description="Labels by whose values pods are counted separately."
    )
    min_domains: PositiveInt | None = Field(default=None, description="Minimum number of topology domains.")
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether to ignore nodes that the pod's affinity excludes."
    )
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether to ignore nodes whose taints the pod does not tolerate."
    )


class SharedMemory(Section):
    """`/dev/shm`, whose default of 64 MiB is too small for data loaders and several GPUs."""

    size_gb: NonNegativeNumber = Field(
        default=0,
        description="Size of /dev/shm, in units of 2^30 bytes (Gi), added to the pods' memory; 0 leaves"
        " 64 MiB.",
    )


class EnvVar(Section):
    """An environment variable, as in a Kubernetes container."""

    name: Annotated[
        StrictStr, text(r"[-._a-zA-Z][-._a-zA-Z0-9]*", "be the name of an environment variable")
    ] = Field(description="Name of the variable.")
    value: StrictStr | None = Field(default=None, description="Value of the variable.")
    value_from: FreeForm | None = Field(default=None, description="Source of the value, as in Kubernetes.")


# What the API server takes for the name of a volume or a container.
Name = Annotated[
    StrictStr,
    text(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "have 1 to 63 lower-case letters, digits and inner dashes"),
]


class Extra(Section):
    """A Kubernetes object that is passed through; only the fields that identify it are typed."""

    model_config = ConfigDict(extra="allow")


class ExtraVolume(Extra):
    """A volume, as in a pod."""

    name: Name = Field(description="Name of the volume.")


class ExtraVolumeMount(Extra):
    """A mount, as in a container."""

    name: Name = Field(description="Name of the volume.")
    mount_path: Annotated[StrictStr, text(r"/[^:]*", "be an absolute path without a colon")] = Field(
        description="Path in the scoring container."
    )


class ExtraContainer(Extra):
    """A container, as in a pod; it gets the scoring container's securityContext by default."""

    name: Name = Field(description="Name of the container.")
    image: NonEmpty = Field(description="Image of the container.")
