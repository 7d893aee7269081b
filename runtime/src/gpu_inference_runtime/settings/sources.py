"""The sources of each setting: its variable, which is also its key in config.json, and for some a flag."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gpu_inference_runtime.settings import values

Place = Literal["flag", "variable", "file"]


@dataclass(frozen=True)
class Source:
    """Where a field of Settings comes from, and how its text is parsed.

    Args:
        field: name of the field in Settings.
        variable: the environment variable, and the key in config.json.
        parse: returns the value of a text, or raises ValueError with the second half of a sentence.
        flag: the flag's name without its dashes.
        help: the flag's text in --help.
        v1_ignored: places where v1's server did not look for the setting. A bad value there did not keep it
            from starting, so it is only a warning here.
    """

    field: str
    variable: str
    parse: Callable[[str], Any]
    flag: str | None = None
    help: str | None = None
    v1_ignored: tuple[Place, ...] = ()


SOURCES = (
    Source(
        "entry_script",
        "AZUREML_ENTRY_SCRIPT",
        str,
        "entry_script",
        "path of the scoring script, relative to the working directory; default: a built-in script that"
        " returns its input",
    ),
    Source(
        "model_dir",
        "AZUREML_MODEL_DIR",
        values.folder_name,
        "model_dir",
        "the model's folder, relative to the working directory; the script gets it in AZUREML_MODEL_DIR",
    ),
    Source(
        "port",
        "SERVER_PORT",
        values.PORT,
        "port",
        "the port for scoring (5001)",
        v1_ignored=("variable", "file"),
    ),
    Source(
        "health_port",
        "HEALTH_PORT",
        values.PORT,
        "health_port",
        "the port for /live, /ready and /metrics (9090)",
        v1_ignored=("variable", "file"),
    ),
    Source(
        "worker_count",
        "WORKER_COUNT",
        values.whole_number(1),
        "worker_count",
        "number of script processes; each loads the model, and all share one queue (1)",
        v1_ignored=("file",),
    ),
    Source("script_python", "GPU_INFERENCE_SCRIPT_PYTHON", Path),
    Source("source_directory", "AZUREML_SOURCE_DIRECTORY", str),
    Source("service_name", "SERVICE_NAME", str),
    # In v1, 0 meant no timeout, and every request failed with a negative number.
    Source(
        "scoring_timeout_ms",
        "SCORING_TIMEOUT_MS",
        values.whole_number(1, tolerates=lambda number: number <= 0),
    ),
    Source(
        "worker_timeout_seconds",
        "WORKER_TIMEOUT",
        values.whole_number(1, tolerates=lambda number: number == 0),
        v1_ignored=("file",),
    ),
    Source("front_end", "GPU_INFERENCE_FRONT_END", values.front_end),
    Source("keys_directory", "GPU_INFERENCE_KEYS_DIR", Path),
    Source("token_issuer", "GPU_INFERENCE_TOKEN_ISSUER", str),
    Source("token_discovery_url", "GPU_INFERENCE_TOKEN_DISCOVERY_URL", values.https_url),
    Source("token_audience", "GPU_INFERENCE_TOKEN_AUDIENCE", str),
    Source("token_allowed_subjects", "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS", values.json_strings),
    Source("token_jwks_file", "GPU_INFERENCE_TOKEN_JWKS_FILE", Path),
    Source("token_jwks_url", "GPU_INFERENCE_TOKEN_JWKS_URL", values.https_url),
    Source("token_jwks_ca_file", "GPU_INFERENCE_TOKEN_JWKS_CA_FILE", Path),
    Source("token_jwks_token_file", "GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE", Path),
    Source("max_concurrent_requests", "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS", values.whole_number(1)),
    Source("max_queue_wait_ms", "GPU_INFERENCE_MAX_QUEUE_WAIT_MS", values.whole_number(0)),
    Source("max_body_bytes", "GPU_INFERENCE_MAX_BODY_BYTES", values.whole_number(1)),
    Source("drain_seconds", "GPU_INFERENCE_DRAIN_SECONDS", values.seconds),
    Source("parallel_runs", "GPU_INFERENCE_PARALLEL_RUNS", values.whole_number(1)),
    Source("batching", "GPU_INFERENCE_BATCHING", values.one_of("none", "merge", "schema", "array")),
    Source("batch_max_rows", "GPU_INFERENCE_BATCH_MAX_ROWS", values.whole_number(1)),
    Source("batch_max_bytes", "GPU_INFERENCE_BATCH_MAX_BYTES", values.whole_number(1)),
    Source(
        "array_dtype",
        "GPU_INFERENCE_ARRAY_DTYPE",
        values.one_of("float32", "float64", "uint8", "int32", "int64"),
    ),
    Source("fast_json", "GPU_INFERENCE_FAST_JSON", values.strict_bool),
    Source(
        "cors_origins",
        "AML_CORS_ORIGINS",
        values.comma_separated,
        "access_control_allow_origins",
        "origins whose web pages may send requests, separated by commas; * for all",
    ),
    Source("service_path_prefix", "SERVICE_PATH_PREFIX", str),
    Source("service_version", "SERVICE_VERSION", str),
    Source("sends_server_version", "SERVER_VERSION_LOG_RESPONSE_ENABLED", values.lenient_bool),
    Source("shows_docs", "GPU_INFERENCE_DOCS", values.strict_bool),
    Source("log_format", "GPU_INFERENCE_LOG_FORMAT", values.log_format),
    Source("log_level", "AZUREML_LOG_LEVEL", values.log_level),
    Source("debug_port", "AZUREML_DEBUG_PORT", values.debug_port),
    Source("tensorflow_v1", "GPU_INFERENCE_TENSORFLOW_V1", values.one_of("auto", "true", "false")),
    Source("model_data_directory", "GPU_INFERENCE_MODEL_DATA_DIR", Path),
    Source("model_data_file_mb", "GPU_INFERENCE_MODEL_DATA_FILE_MB", values.whole_number(1)),
    Source("model_data_total_mb", "GPU_INFERENCE_MODEL_DATA_TOTAL_MB", values.whole_number(1)),
    Source("app_insights", "AML_APP_INSIGHTS_ENABLED", values.tolerant_bool),
    Source(
        "app_insights_key",
        "AML_APP_INSIGHTS_KEY",
        str,
        "appinsights_instrumentation_key",
        "turns on telemetry, like AML_APP_INSIGHTS_ENABLED; it goes to the collector in"
        " OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    # The standard names of OpenTelemetry SDKs.
    Source(
        "otlp_endpoint",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        values.http_url,
        v1_ignored=("variable", "file"),
    ),
    Source("otlp_headers", "OTEL_EXPORTER_OTLP_HEADERS", str),
    Source("telemetry_service_name", "OTEL_SERVICE_NAME", str),
    Source("resource_attributes", "OTEL_RESOURCE_ATTRIBUTES", str),
    Source("traces_ratio", "GPU_INFERENCE_TRACES_RATIO", values.ratio),
)
