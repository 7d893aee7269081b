"""`extraEnv[]`: environment variables that the user adds to the scoring container."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import FreeForm, KubernetesSection, Text

# docs/interfaces.md, first table. A second entry of the same name would make server-side apply fail.
SET_BY_THE_CHART = (
    "SERVICE_NAME",
    "SCORING_TIMEOUT_MS",
    "GPU_INFERENCE_FRONT_END",
    "GPU_INFERENCE_KEYS_DIR",
    "GPU_INFERENCE_TOKEN_ISSUER",
    "GPU_INFERENCE_TOKEN_DISCOVERY_URL",
    "GPU_INFERENCE_TOKEN_AUDIENCE",
    "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS",
    "GPU_INFERENCE_TOKEN_JWKS_FILE",
    "GPU_INFERENCE_TOKEN_JWKS_URL",
    "GPU_INFERENCE_TOKEN_JWKS_CA_FILE",
    "GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE",
    "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS",
    "GPU_INFERENCE_MAX_QUEUE_WAIT_MS",
    "GPU_INFERENCE_DRAIN_SECONDS",
    "GPU_INFERENCE_BATCHING",
    "GPU_INFERENCE_BATCH_MAX_ROWS",
    "GPU_INFERENCE_BATCH_MAX_BYTES",
    "GPU_INFERENCE_ARRAY_DTYPE",
    "GPU_INFERENCE_FAST_JSON",
    "AML_APP_ROOT",
    "AZUREML_MODEL_DIR",
    "AZUREML_SOURCE_DIRECTORY",
    "AZUREML_ENTRY_SCRIPT",
    "GPU_INFERENCE_MODEL_DATA_DIR",
    "GPU_INFERENCE_MODEL_DATA_FILE_MB",
    "GPU_INFERENCE_MODEL_DATA_TOTAL_MB",
    "AML_APP_INSIGHTS_ENABLED",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "GPU_INFERENCE_TRACES_RATIO",
)
# The Service and the probes rely on what these are when nobody sets them.
RELIED_ON_BY_THE_CHART = ("HEALTH_PORT", "SERVER_PORT", "WORKER_COUNT")


class EnvVar(KubernetesSection):
    """One variable, as in a Kubernetes container."""

    name: Annotated[Text, StringConstraints(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")] = Field(
        description="Name of the variable."
    )
    value: Text | None = Field(default=None, description="Its value.")
    value_from: FreeForm | None = Field(
        default=None, description="Where its value comes from, as in Kubernetes."
    )
