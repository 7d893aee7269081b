"""`podDisruptionBudget.*`, `rollout.*`, `topologySpreadConstraints[]`: pods kept, replaced, spread."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gpu_inference.values.base import Count, CountOrZero, FreeForm, KubernetesSection, Switch, Text

_Name = Annotated[Text, StringConstraints(min_length=1)]


class PodDisruptionBudget(KubernetesSection):
    """What a node's drain may do. There is no minAvailable: as large as the service it blocks drains."""

    enabled: Switch = Field(
        default=True, description="Whether pods are evicted, as by a node's drain, only a few at a time."
    )
    max_unavailable: Count = Field(
        default=1, description="Pods that may be missing while pods are evicted, in pods."
    )


class Rollout(KubernetesSection):
    """When a rollout counts as failed."""

    pull_seconds: CountOrZero = Field(
        default=600,
        description="Time for finding a node and pulling images, beside a pod's start, before a rollout"
        " counts as failed, in seconds.",
    )


class TopologySpreadConstraint(KubernetesSection):
    """One constraint, as in a Kubernetes pod."""

    max_skew: Count = Field(description="By how many pods two places may differ, in pods.")
    topology_key: _Name = Field(description="Node label whose values are the places.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(
        description="What happens to a pod that would make the difference larger."
    )
    label_selector: FreeForm | None = Field(
        default=None, description="Pods that count; those of the service unless given."
    )
    match_label_keys: list[_Name] | None = Field(
        default=None, description="Labels whose values must be the pod's own for others to count."
    )
    min_domains: Count | None = Field(default=None, description="Places that there must be at least.")
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether nodes that the pod's affinity excludes are places."
    )
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(
        default=None, description="Whether nodes whose taints the pod does not tolerate are places."
    )
