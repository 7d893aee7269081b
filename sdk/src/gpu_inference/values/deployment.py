"""`deployment.*`: the parameters of the SDK's `AksWebservice.deploy_configuration`, under its names."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import Amount, Count, CountOrZero, Section, Switch, Text

# Keys travel in an HTTP header; what a header cannot carry could never be presented by a client.
Key = Annotated[Text, StringConstraints(pattern=r"^[!-~]+$")]

Namespace = Annotated[Text, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Deployment(Section):
    """What `AksWebservice.deploy_configuration` took in Azure ML SDK v1; null is not given, as None was."""

    num_replicas: Count | None = Field(
        default=None, description="Number of pods that serve; 1 unless given.", examples=[3]
    )
    autoscale_enabled: Switch | None = Field(
        default=None,
        description="Whether an autoscaler sets the number of pods; false unless given.",
        examples=[True],
    )
    autoscale_min_replicas: Count | None = Field(
        default=None,
        description="Fewest pods with autoscale_enabled, in pods; 1 unless given.",
        examples=[1],
    )
    autoscale_max_replicas: Count | None = Field(
        default=None,
        description="Most pods with autoscale_enabled; 10, or fewer if the GPUs end, unless given.",
        examples=[4],
    )
    autoscale_refresh_seconds: Count | None = Field(
        default=None,
        description="Time between two looks of KEDA at the load, in seconds; 1 unless given.",
        examples=[1],
    )
    autoscale_target_utilization: Count | None = Field(
        default=None,
        description="Share of the pods' request slots to keep busy, in percent; 70 unless given.",
        examples=[70],
    )
    cpu_cores: Amount = Field(
        default=0.1, description="CPU cores that each pod requests (not a limit), in cores."
    )
    cpu_cores_limit: Amount | None = Field(
        default=None,
        description="CPU cores that each pod may use at most, in cores; no limit unless given.",
        examples=[2],
    )
    memory_gb: Amount = Field(
        default=0.5,
        description="Memory that each pod requests (not a limit), in units of 2^30 bytes (Gi).",
    )
    memory_gb_limit: Amount | None = Field(
        default=None,
        description="Memory that each pod may use at most, in units of 2^30 bytes; no limit unless given.",
        examples=[4],
    )
    gpu_cores: CountOrZero = Field(default=1, description="Whole GPUs that each pod gets; 0 runs on CPU.")
    auth_enabled: Switch | None = Field(
        default=None,
        description="Whether requests must carry one of the service's two keys; true unless"
        " token_auth_enabled is.",
        examples=[True],
    )
    token_auth_enabled: Switch = Field(
        default=False,
        description="Whether requests must carry a token that tokenAuth accepts, instead of a key.",
    )
    primary_key: Key | None = Field(
        default=None,
        description="First key, readable in the release's values; made in the cluster unless given.",
        examples=["put-a-long-random-text-here"],
    )
    secondary_key: Key | None = Field(
        default=None,
        description="Second key, only beside primary_key; made in the cluster unless given.",
        examples=["put-another-long-random-text-here"],
    )
    scoring_timeout_ms: Count = Field(
        default=60_000,
        description="Longest time that scoring one request may take, in milliseconds.",
    )
    replica_max_concurrent_requests: Count = Field(
        default=1, description="Requests that one pod admits at the same time, in requests."
    )
    max_request_wait_time: Count = Field(
        default=500,
        description="Longest time that a request waits in a pod's queue before status 503, in milliseconds.",
    )
    initial_delay_seconds: Count = Field(
        default=310,
        description="Time for init() beyond period_seconds * failure_threshold until a restart, in seconds.",
    )
    period_seconds: Count = Field(
        default=10, description="Time between two health checks of a pod, in seconds."
    )
    timeout_seconds: Count = Field(
        default=2, description="Time within which a pod must answer a health check, in seconds."
    )
    success_threshold: Count = Field(
        default=1,
        description="Successful health checks in a row after which a pod is ready again, in checks.",
    )
    failure_threshold: Count = Field(
        default=3,
        description="Failed health checks in a row after which a pod is restarted, in checks.",
    )
    tags: dict[Text, Text] | None = Field(
        default=None,
        description="Texts by name, in the annotation gpu-inference/tags as JSON; none unless given.",
        examples=[{"team": "vision"}],
    )
    properties: dict[Text, Text] | None = Field(
        default=None,
        description="Texts by name, in the annotation gpu-inference/properties as JSON; none unless given.",
        examples=[{"source": "notebook"}],
    )
    description: Text | None = Field(
        default=None,
        description="What the service is, in the annotation gpu-inference/description; none unless given.",
        examples=["Handwritten digits"],
    )
    namespace: Namespace | None = Field(
        default=None,
        description="Namespace of the service, which must be the release's; the release's unless given.",
        examples=["default"],
    )
    compute_target_name: Text | None = Field(
        default=None,
        description="Name that the cluster had in Azure ML; accepted and without effect; none unless given.",
        examples=["my-aks"],
    )
    collect_model_data: Switch = Field(
        default=False,
        description="Whether what scripts give to ModelDataCollector is written to dataCollection.volume.",
    )
    enable_app_insights: Switch = Field(
        default=False, description="Whether each request's trace is sent to telemetry.otlpEndpoint."
    )
    blobfuse_enabled: Switch = Field(
        default=True,
        description="Whether models are mounted, not copied; without effect on models inside the image.",
    )

    @property
    def keys_in_use(self) -> bool:
        """Whether requests must carry a key: said, or because they need no token."""
        return not self.token_auth_enabled if self.auth_enabled is None else self.auth_enabled

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """Every parameter of the SDK may be None."""
        return key in cls.model_fields
