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
    """Parameters of `AksWebservice.deploy_configuration` in SDK v1; null means unset, as None did."""

    num_replicas: PositiveInt | None = Field(
        default=None,
        description="Number of scoring pods; defaults to 1.",
        examples=[3],
        json_schema_extra={"kubernetes": "`replicas` of the Deployment"},
    )
    autoscale_enabled: StrictBool | None = Field(
        default=None,
        description="Whether an autoscaler sets the number of pods; defaults to false.",
        examples=[True],
        json_schema_extra={"kubernetes": "a ScaledObject (KEDA) or a HorizontalPodAutoscaler"},
    )
    autoscale_min_replicas: PositiveInt | None = Field(
        default=None,
        description="Minimum number of pods with autoscale_enabled, in pods; defaults to 1.",
        examples=[1],
        json_schema_extra={"kubernetes": "the autoscaler's minimum"},
    )
    autoscale_max_replicas: PositiveInt | None = Field(
        default=None,
        description="Maximum number of pods with autoscale_enabled; defaults to 10, or to what the GPUs"
        " allow.",
        examples=[4],
        json_schema_extra={"kubernetes": "the autoscaler's maximum, never above the GPUs of the pool"},
    )
    autoscale_refresh_seconds: PositiveInt | None = Field(
        default=None,
        description="Interval at which KEDA polls the load, in seconds; defaults to 1.",
        examples=[1],
        json_schema_extra={"kubernetes": "`pollingInterval` of the ScaledObject"},
    )
    autoscale_target_utilization: PositiveInt | None = Field(
        default=None,
        description="Target share of busy request slots, in percent; defaults to 70.",
        examples=[70],
        json_schema_extra={
            "kubernetes": "the autoscaler's target: busy slots of a pod on average, in percent"
        },
    )
    cpu_cores: PositiveNumber = Field(
        default=0.1,
        description="CPU request of each pod, in cores.",
        json_schema_extra={"kubernetes": "`requests.cpu` of the container"},
    )
    cpu_cores_limit: PositiveNumber | None = Field(
        default=None,
        description="CPU limit of each pod, in cores; defaults to no limit.",
        examples=[2],
        json_schema_extra={"kubernetes": "`limits.cpu`"},
    )
    memory_gb: PositiveNumber = Field(
        default=0.5,
        description="Memory request of each pod, in units of 2^30 bytes (Gi).",
        json_schema_extra={"kubernetes": "`requests.memory`, in Gi, with `sharedMemory.sizeGb` added"},
    )
    memory_gb_limit: PositiveNumber | None = Field(
        default=None,
        description="Memory limit of each pod, in units of 2^30 bytes (Gi); defaults to no limit.",
        examples=[4],
        json_schema_extra={"kubernetes": "`limits.memory`, in Gi, with `sharedMemory.sizeGb` added"},
    )
    gpu_cores: NonNegativeInt = Field(
        default=1,
        description="Whole GPUs of each pod; 0 runs on CPU.",
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
        description="Whether requests must carry a token that tokenAuth accepts instead of a key.",
        json_schema_extra={"kubernetes": "the server checks JSON Web Tokens by `tokenAuth`"},
    )
    primary_key: Key | None = Field(
        default=None,
        description="Primary key, readable in the release's values; generated in the cluster if unset.",
        examples=["put-a-long-random-text-here"],
        json_schema_extra={"kubernetes": "`primaryKey` in the Secret"},
    )
    secondary_key: Key | None = Field(
        default=None,
        description="Secondary key, allowed only with primary_key; generated in the cluster if unset.",
        examples=["put-another-long-random-text-here"],
        json_schema_extra={"kubernetes": "`secondaryKey` in the Secret"},
    )
    scoring_timeout_ms: PositiveInt = Field(
        default=60_000,
        description="Timeout for scoring one request, in milliseconds.",
        json_schema_extra={
            "kubernetes": "the server's limit for one call; part of `terminationGracePeriodSeconds`"
        },
    )
    replica_max_concurrent_requests: PositiveInt = Field(
        default=1,
        description="Concurrent requests that one pod admits, in requests.",
        json_schema_extra={"kubernetes": "slots of one pod's server"},
    )
    max_request_wait_time: PositiveInt = Field(
        default=500,
        description="Time that a request waits in a pod's queue before it gets status 503, in milliseconds.",
        json_schema_extra={
            "kubernetes": "the server's queue, then 503; part of `terminationGracePeriodSeconds`"
        },
    )
    initial_delay_seconds: PositiveInt = Field(
        default=310,
        description="Time that init() may take beyond period_seconds * failure_threshold, in seconds.",
        json_schema_extra={"kubernetes": "part of the startup probe's tries (1 s each)"},
    )
    period_seconds: PositiveInt = Field(
        default=10,
        description="Interval between health checks of a pod, in seconds.",
        json_schema_extra={"kubernetes": "`periodSeconds` of the liveness and readiness probes"},
    )
    timeout_seconds: PositiveInt = Field(
        default=2,
        description="Timeout of a health check, in seconds.",
        json_schema_extra={"kubernetes": "`timeoutSeconds` of all probes"},
    )
    success_threshold: PositiveInt = Field(
        default=1,
        description="Successful health checks in a row that make a pod ready again, in checks.",
        json_schema_extra={
            "kubernetes": "`successThreshold` of the readiness probe (the others allow only 1)"
        },
    )
    failure_threshold: PositiveInt = Field(
        default=3,
        description="Failed health checks in a row that restart a pod, in checks.",
        json_schema_extra={"kubernetes": "`failureThreshold` of the liveness and readiness probes"},
    )
    tags: dict[StrictStr, StrictStr] | None = Field(
        default=None,
        description="Tags, as a JSON annotation gpu-inference/tags; defaults to none.",
        examples=[{"team": "vision"}],
        json_schema_extra={"kubernetes": "annotation `gpu-inference/tags` of the Deployment, as JSON"},
    )
    properties: dict[StrictStr, StrictStr] | None = Field(
        default=None,
        description="Properties, as a JSON annotation gpu-inference/properties; defaults to none.",
        examples=[{"source": "notebook"}],
        json_schema_extra={"kubernetes": "annotation `gpu-inference/properties` of the Deployment, as JSON"},
    )
    description: StrictStr | None = Field(
        default=None,
        description="Description of the service, as an annotation gpu-inference/description; defaults to"
        " none.",
        examples=["Handwritten digits"],
        json_schema_extra={"kubernetes": "annotation `gpu-inference/description` of the Deployment"},
    )
    namespace: Namespace | None = Field(
        default=None,
        description="Namespace of the service, which must be the release's namespace; defaults to it.",
        examples=["default"],
        json_schema_extra={"kubernetes": "checked against the release's namespace"},
    )
    compute_target_name: StrictStr | None = Field(
        default=None,
        description="Name that the cluster had in Azure ML; accepted, but has no effect.",
        examples=["my-aks"],
        json_schema_extra={"kubernetes": "nothing"},
    )
    collect_model_data: StrictBool = Field(
        default=False,
        description="Whether rows given to ModelDataCollector are written to dataCollection.volume.",
        json_schema_extra={
            "kubernetes": "the volume `dataCollection.volume`, into which ModelDataCollector writes"
        },
    )
    enable_app_insights: StrictBool = Field(
        default=False,
        description="Whether a trace of each request is sent to telemetry.otlpEndpoint.",
        json_schema_extra={"kubernetes": "traces to `telemetry.otlpEndpoint`"},
    )
    blobfuse_enabled: StrictBool = Field(
        default=True,
        description="Whether a model in a PersistentVolumeClaim is mounted; false copies it into each pod.",
        json_schema_extra={
            "kubernetes": "false: an init container copies models from a PersistentVolumeClaim"
        },
    )

    @classmethod
    def accepts_null(cls, key: str) -> bool:
        """Every parameter of the SDK may be None."""
        return key in cls.model_fields
