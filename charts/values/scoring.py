"""The scoring pods: how many, how they are replaced and spread, and what is added to them."""

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

# As long as Kubernetes lets an autoscaler look back.
StabilizationSeconds = Annotated[NonNegativeInt, Field(le=3600)]


class ExternalMetric(Section):
    """A metric of external.metrics.k8s.io: the busy slots of all the service's pods together."""

    name: StrictStr = Field(
        default="",
        description="For the engine hpa: metric with the busy slots of all pods; needed by it.",
        examples=["gpu_inference_busy_slots_average"],
    )
    selector: dict[StrictStr, StrictStr] = Field(
        default={}, description="Labels that the metric's series must have; none unless given."
    )


class Autoscaling(Section):
    """How the number of pods follows the load."""

    engine: Literal["keda", "hpa"] = Field(
        default="keda",
        description="KEDA, which asks the pods itself, or a HorizontalPodAutoscaler on a metric of yours.",
    )
    scale_down_stabilization_seconds: StabilizationSeconds = Field(
        default=60,
        description="Time for which fewer pods must have been enough before one goes, in seconds.",
    )
    external_metric: ExternalMetric = Field(
        default_factory=ExternalMetric, description="What the engine hpa looks at."
    )


class Batching(Section):
    """How requests that wait are put together, and how much of them goes into one call."""

    mode: Literal["none", "merge", "schema", "array"] = Field(
        default="none",
        description="How waiting requests are put into one call of run(); none: each has a call of its own.",
    )
    max_rows: PositiveInt = Field(default=256, description="Most rows of one call.")
    max_bytes: PositiveInt = Field(default=16777216, description="Most bytes of the requests in one call.")
    dtype: Literal["float32", "float64", "uint8", "int32", "int64"] = Field(
        default="float32", description="Type of the numbers in the array that run() takes in mode array."
    )
    fast_json: StrictBool = Field(
        default=False, description="Whether json.loads in scripts is a faster one, in any mode."
    )


class Drain(Section):
    """The two waits between the decision to end a pod and its last request."""

    pre_stop_sleep_seconds: NonNegativeInt = Field(
        default=5,
        description="Time between leaving the Service's endpoints and being told to end, in seconds.",
    )
    seconds: NonNegativeInt = Field(
        default=10,
        description="Time that a pod told to end still accepts requests, in seconds.",
    )


class PodDisruptionBudget(Section):
    """What a node's drain may do. There is no minAvailable: as large as the service it blocks drains."""

    enabled: StrictBool = Field(
        default=True, description="Whether pods are evicted, as by a node's drain, only a few at a time."
    )
    max_unavailable: PositiveInt = Field(
        default=1, description="Pods that may be missing while pods are evicted, in pods."
    )


class Rollout(Section):
    """When a rollout counts as failed."""

    pull_seconds: NonNegativeInt = Field(
        default=600,
        description="Time for finding a node and pulling images, beside a pod's start, before a rollout"
        " counts as failed, in seconds.",
    )


class TopologySpreadConstraint(Section):
    """One constraint, as in a Kubernetes pod."""

    max_skew: PositiveInt = Field(description="By how many pods two places may differ, in pods.")
    topology_key: NonEmpty = Field(description="Node label whose values are the places.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="What happens to a pod that would make the difference larger."
    )
    label_selector: FreeForm | None = Field(
        default=None, description="Pods that count; those of the service unless given."
    )
    match_label_keys: list[NonEmpty] | None = Field(
        default=None, description="Labels whose values must be the pod's own for others to count."
    )
    min_domains: PositiveInt | None = Field(default=None, description="Places that there must be at least.")
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether nodes that the pod's affinity excludes are places."
    )
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether nodes whose taints the pod does not tolerate are places."
    )


class SharedMemory(Section):
    """`/dev/shm`, which is 64 MiB unless asked for: too small for data loaders and several GPUs."""

    size_gb: NonNegativeNumber = Field(
        default=0,
        description="Size of /dev/shm in units of 2^30 bytes, counted into pods' memory; 0 leaves 64 MiB.",
    )


class EnvVar(Section):
    """One variable, as in a Kubernetes container."""

    name: Annotated[
        StrictStr, text(r"[-._a-zA-Z][-._a-zA-Z0-9]*", "be the name of an environment variable")
    ] = Field(description="Name of the variable.")
    value: StrictStr | None = Field(default=None, description="Its value.")
    value_from: FreeForm | None = Field(
        default=None, description="Where its value comes from, as in Kubernetes."
    )


# What the API server takes for the name of a volume or a container.
Name = Annotated[
    StrictStr,
    text(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "have 1 to 63 lower-case letters, digits and inner dashes"),
]


class Extra(Section):
    """A thing of Kubernetes' own, of which the chart knows only how it is told from others."""

    model_config = ConfigDict(extra="allow")


class ExtraVolume(Extra):
    """A volume, as in a pod."""

    name: Name = Field(description="Name of the volume.")


class ExtraVolumeMount(Extra):
    """A mount, as in a container."""

    name: Name = Field(description="Name of the volume.")
    mount_path: Annotated[StrictStr, text(r"/[^:]*", "be an absolute path without a colon")] = Field(
        description="Where the scoring container sees it."
    )


class ExtraContainer(Extra):
    """A container, as in a pod; without a securityContext of its own it gets the scoring container's."""

    name: Name = Field(description="Name of the container.")
    image: NonEmpty = Field(description="Its image.")
