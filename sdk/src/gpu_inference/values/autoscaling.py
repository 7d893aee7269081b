"""`autoscaling.*`: which autoscaler there is when `deployment.autoscale_enabled` asks for one."""

from typing import Annotated, Literal

from pydantic import Field

from gpu_inference.values.base import CountOrZero, KubernetesSection, Text

# As long as Kubernetes lets an autoscaler look back.
StabilizationSeconds = Annotated[CountOrZero, Field(le=3600)]


class ExternalMetric(KubernetesSection):
    """A metric of external.metrics.k8s.io: the busy slots of all the service's pods together."""

    name: Text = Field(
        default="",
        description="For the engine hpa: metric with the busy slots of all pods; needed by it.",
        examples=["gpu_inference_busy_slots_average"],
    )
    selector: dict[Text, Text] = Field(
        default={}, description="Labels that the metric's series must have; none unless given."
    )


class Autoscaling(KubernetesSection):
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
