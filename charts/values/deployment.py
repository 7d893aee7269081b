"""`deployment.*`: the parameters of the SDK's `AksWebservice.deploy_configuration`, under its names."""

from typing import Annotated

from charts.values.base import NonNegativeInt, PositiveInt, PositiveNumber, SnakeCaseSection, text
from pydantic import Field, StrictBool, StrictStr

# Keys travel in an HTTP header; what a header cannot carry could never be presented by a client.
Key = Annotated[
    StrictStr,
    text(r"[!-~]+", "consist of printable ASCII characters other than space, at least one"),
]

Namespace = Annotated[
    StrictStr,
    text(
        r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?",
        "be a valid Kubernetes namespace. Regex for validation is ^[a-z0-9]([a-z0-9-]{,61}[a-z0-9])?$",
    ),
]


class Deployment(SnakeCaseSection):
    """What `AksWebservice.deploy_configuration` took in Azure ML SDK v1; null is not given, as None was."""

    num_replicas: PositiveInt | None = Field(
        default=None,
        description="Number of pods that serve; 1 unless given.",
        examples=[3],
        json_schema_extra={"kubernetes": "`replicas` of the Deployment"},
    )
    autoscale_enabled: StrictBool | None = Field(
        default=None,
        description="Whether an autoscaler sets the number of pods; false unless given.",
        examples=[True],
        json_schema_extra={"kubernetes": "a ScaledObject (KEDA) or a HorizontalPodAutoscaler"},
    )
    autoscale_min_replicas: PositiveInt | None = Field(
        default=None,
        description="Fewest pods with autoscale_enabled, in pods; 1 unless given.",
        examples=[1],
        json_schema_extra={"kubernetes": "the autoscaler's minimum"},
    )
    autoscale_max_replicas: PositiveInt | None = Field(
        default=None,
        description="Most pods with autoscale_enabled; 10, or fewer if the GPUs end, unless given.",
        examples=[4],
        json_schema_extra={"kubernetes": "the autoscaler's maximum, never above the GPUs of the pool"},
    )
    autoscale_refresh_seconds: PositiveInt | None = Field(
        default=None,
        description="Time between two looks of KEDA at the load, in seconds; 1 unless given.",
        examples=[1],
        json_schema_extra={"kubernetes": "`pollingInterval` of the ScaledObject"},
    )
    autoscale_target_utilization: PositiveInt | None = Field(
        default=None,
        description="Share of the pods' request slots to keep busy, in percent; 70 unless given.",
        examples=[70],
        json_schema_extra={
            "kubernetes": "the autoscaler's target: busy slots of a pod on average, in percent"
        },
    )
    cpu_cores: PositiveNumber = Field(
        default=0.1,
        description="CPU cores that each pod requests (not a limit), in cores.",
        json_schema_extra={"kubernetes": "`requests.cpu` of the container"},
    )
    cpu_cores_limit: PositiveNumber | None = Field(
        default=None,
        description="CPU cores that each pod may use at most, in cores; no limit unless given.",
        examples=[2],
        json_schema_extra={"kubernetes": "`limits.cpu`"},
    )
    memory_gb: PositiveNumber = Field(
        default=0.5,
        description="Memory that each pod requests (not a limit), in units of 2^30 bytes (Gi).",
        json_schema_extra={"kubernetes": "`requests.memory`, in Gi, with `sharedMemory.sizeGb` added"},
    )
    memory_gb_limit: PositiveNumber | None = Field(
        default=None,
        description="Memory that each pod may use at most, in units of 2^30 bytes; no limit unless given.",
        examples=[4],
        json_schema_extra={"kubernetes": "`limits.memory`, in Gi, with `sharedMemory.sizeGb` added"},
    )
    gpu_cores: NonNegativeInt = Field(
        default=1,
        description="Whole GPUs that each pod gets; 0 runs on CPU.",
        json_schema_extra={
            "kubernetes": "request and limit of `cluster.gpu_resource`, or devices of a ResourceClaimTemplate"
        },
    )
    auth_enabled: StrictBool | None = Field(
        default=None,
        description="Whether requests must carry one of the service's two keys; true unless"
        " token_auth_enabled is.",
        examples=[True],
        json_schema_extra={"kubernetes": "the Secret `<service>-keys`, mounted into the pods"},
    )
    token_auth_enabled: StrictBool = Field(
        default=False,
        description="Whether requests must carry a token that tokenAuth accepts, instead of a key.",
        json_schema_extra={"kubernetes": "the server checks JSON Web Tokens by `tokenAuth`"},
    )
    primary_key: Key | None = Field(
        default=None,
        description="First key, readable in the release's values; made in the cluster unless given.",
        examples=["put-a-long-random-text-here"],
        json_schema_extra={"kubernetes": "`primaryKey` in the Secret"},
    )
    secondary_key: Key | None = Field(
        default=None,
        description="Second key, only beside primary_key; made in the cluster unless given.",
        examples=["put-another-long-random-text-here"],
        json_schema_extra={"kubernetes": "`secondaryKey` in the Secret"},
    )
    scoring_timeout_ms: PositiveInt = Field(
        default=60_000,
        description="Longest time that scoring one request may take, in milliseconds.",
        json_schema_extra={
            "kubernetes": "the server's limit for one call; part of `terminationGracePeriodSeconds`"
        },
    )
    replica_max_concurrent_requests: PositiveInt = Field(
        default=1,
        description="Requests that one pod admits at the same time, in requests.",
        json_schema_extra={"kubernetes": "slots of one pod's server"},
    )
    max_request_wait_time: PositiveInt = Field(
        default=500,
        description="Longest time that a request waits in a pod's queue before status 503, in milliseconds.",
        json_schema_extra={
            "kubernetes": "the server's queue, then 503; part of `terminationGracePeriodSeconds`"
        },
    )
    initial_delay_seconds: PositiveInt = Field(
        default=310,
        description="Time for init() beyond period_seconds * failure_threshold until a restart, in seconds.",
        json_schema_extra={"kubernetes": "part of the startup probe's tries (1 s each)"},
    )
    period_seconds: PositiveInt = Field(
        default=10,
        description="Time between two health checks of a pod, in seconds.",
        json_schema_extra={"kubernetes": "`periodSeconds` of the liveness and readiness probes"},
    )
    timeout_seconds: PositiveInt = Field(
        default=2,
        description="Time within which a pod must answer a health check, in seconds.",
        json_schema_extra={"kubernetes": "`timeoutSeconds` of all probes"},
    )
    success_threshold: PositiveInt = Field(
        default=1,
        description="Successful health checks in a row after which a pod is ready again, in checks.",
        json_schema_extra={
            "kubernetes": "`successThreshold` of the readiness probe (the others allow only 1)"
        },
    )
    failure_threshold: PositiveInt = Field(
        default=3,
        description="Failed health checks in a row after which a pod is restarted, in checks.",
        json_schema_extra={"kubernetes": "`failureThreshold` of the liveness and readiness probes"},
    )
    tags: dict[StrictStr, StrictStr] | None = Field(
        default=None,
        description="Texts by name, in the annotation gpu-inference/tags as JSON; none unless given.",
        examples=[{"team": "vision"}],
        json_schema_extra={"kubernetes": "annotation `gpu-inference/tags` of the Deployment, as JSON"},
    )
    properties: dict[StrictStr, StrictStr] | None = Field(
        default=None,
        description="Texts by name, in the annotation gpu-inference/properties as JSON; none unless given.",
        examples=[{"source": "notebook"}],
        json_schema_extra={"kubernetes": "annotation `gpu-inference/properties` of the Deployment, as JSON"},
    )
    description: StrictStr | None = Field(
        default=None,
        description="What the service is, in the annotation gpu-inference/description; none unless given.",
        examples=["Handwritten digits"],
        json_schema_extra={"kubernetes": "annotation `gpu-inference/description` of the Deployment"},
    )
    namespace: Namespace | None = Field(
        default=None,
        description="Namespace of the service, which must be the release's; the release's unless given.",
        examples=["default"],
        json_schema_extra={"kubernetes": "checked against the release's namespace"},
    )
    compute_target_name: StrictStr | None = Field(
        default=None,
        description="Name that the cluster had in Azure ML; accepted and without effect; none unless given.",
        examples=["my-aks"],
        json_schema_extra={"kubernetes": "nothing; the release is where it is"},
    )
    collect_model_data: StrictBool = Field(
        default=False,
        description="Whether what scripts give to ModelDataCollector is written to dataCollection.volume.",
        json_schema_extra={
            "kubernetes": "the volume `dataCollection.volume`, into which ModelDataCollector writes"
        },
    )
    enable_app_insights: StrictBool = Field(
        default=False,
        description="Whether each request's trace is sent to telemetry.otlpEndpoint.",
        json_schema_extra={"kubernetes": "traces to `telemetry.otlpEndpoint`"},
    )
    blobfuse_enabled: StrictBool = Field(
        default=True,
        description="Whether models are mounted, not copied; without effect on models inside the image.",
        json_schema_extra={
            "kubernetes": "false: an init container copies models from a PersistentVolumeClaim"
        },
    )

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """Every parameter of the SDK may be None."""
        return key in cls.model_fields
