"""The settings as one typed, frozen object, and the values derived from them."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gpu_inference_runtime.settings.values import FrontEnd, LogFormat
from gpu_inference_script.config import Config

_FRONT_END_BODY_LIMIT = 100 * 1024 * 1024


class SettingsError(Exception):
    """The server cannot start with a setting; the text is one sentence that names it."""


@dataclass(frozen=True)
class Settings:
    """The server's settings. docs/settings.md describes each one; names of times end in their unit."""

    entry_script: str | None = None
    model_dir: str | None = None
    port: int = 5001
    health_port: int = 9090
    worker_count: int = 1
    script_python: str | None = None
    app_root: Path = Path()
    config_file: Path | None = None
    source_directory: str | None = None
    service_name: str = "ML service"
    scoring_timeout_ms: int = 3_600_000
    worker_timeout_seconds: int = 300
    front_end: FrontEnd = "none"
    keys_directory: Path | None = None
    token_issuer: str | None = None
    token_discovery_url: str | None = None
    token_audience: str | None = None
    token_allowed_subjects: tuple[str, ...] = ()
    token_jwks_file: Path | None = None
    token_jwks_url: str | None = None
    token_jwks_ca_file: Path | None = None
    token_jwks_token_file: Path | None = None
    max_concurrent_requests: int = 1
    max_queue_wait_ms: int = 500
    max_body_bytes: int | None = None
    drain_seconds: float = 0.0
    parallel_runs: int = 1
    batching: str = "none"
    batch_max_rows: int = 256
    batch_max_bytes: int = 16 * 1024 * 1024
    array_dtype: str = "float32"
    fast_json: bool = False
    cors_origins: tuple[str, ...] = ()
    service_path_prefix: str = ""
    service_version: str = "1.0"
    sends_server_version: bool = True
    shows_docs: bool = True
    log_format: LogFormat = "text"
    log_level: str = "INFO"
    debug_port: int | None = None
    tensorflow_v1: str = "auto"
    model_data_directory: Path | None = None
    model_data_file_mb: int = 16
    model_data_total_mb: int = 1024
    app_insights: bool = False
    app_insights_key: str | None = field(default=None, repr=False)
    otlp_endpoint: str | None = None
    # They often hold credentials.
    otlp_headers: str | None = field(default=None, repr=False)
    telemetry_service_name: str | None = None
    resource_attributes: str | None = None
    traces_ratio: float = 1.0
    # Whether the port was set, rather than left at its default.
    health_port_was_given: bool = field(default=False, compare=False)
    # One sentence for each problem that did not keep v1's server from starting either.
    warnings: tuple[str, ...] = ()

    @property
    def body_limit(self) -> int | None:
        """The largest request body, in bytes; None for no limit (the bare server's default)."""
        if self.max_body_bytes is None and self.front_end == "azureml":
            return _FRONT_END_BODY_LIMIT
        return self.max_body_bytes

    @property
    def management_port(self) -> int | None:
        """The port for /live, /ready and /metrics; None if it would be the scoring port."""
        return None if self.health_port == self.port else self.health_port

    @property
    def asks_for_token(self) -> bool:
        """Whether a request must carry a token."""
        return self.token_jwks_file is not None or self.token_jwks_url is not None

    @property
    def sends_traces(self) -> bool:
        """Whether traces are turned on and a collector is set."""
        return self.app_insights and self.otlp_endpoint is not None

    @property
    def queue_wait_seconds(self) -> float | None:
        """The longest wait in the queue, in seconds; None for no limit (the bare server never refuses)."""
        return self.max_queue_wait_ms / 1000 if self.front_end == "azureml" else None

    @property
    def slots_per_worker(self) -> int:
        """Concurrent requests per script process, rounded up: together at least `max_concurrent_requests`."""
        return -(-self.max_concurrent_requests // self.worker_count)

    @property
    def slots(self) -> int:
        """Requests admitted at once, by all script processes together."""
        return self.slots_per_worker * self.worker_count

    @property
    def graceful_seconds(self) -> float:
        """Seconds from SIGTERM to the last response at most: drain, queue, scoring, and 5 s to spare."""
        return self.drain_seconds + (self.max_queue_wait_ms + self.scoring_timeout_ms) / 1000 + 5


def script_config(settings: Settings) -> Config:
    """Return the settings that a script process gets when it starts."""
    folder = settings.model_data_directory
    return Config(
        app_root=str(settings.app_root),
        entry_script=settings.entry_script,
        source_directory=settings.source_directory,
        model_dir=settings.model_dir,
        service_name=settings.service_name,
        service_version=settings.service_version,
        path_prefix=path_prefix(settings),
        front_end=settings.front_end,
        scoring_timeout_ms=settings.scoring_timeout_ms,
        parallel_runs=settings.parallel_runs,
        log_format=settings.log_format,
        log_level=settings.log_level,
        debug_port=settings.debug_port,
        tensorflow_v1=settings.tensorflow_v1,
        model_data_directory=None if folder is None else str(folder),
        model_data_file_mb=settings.model_data_file_mb,
        model_data_total_mb=settings.model_data_total_mb,
        batching=settings.batching,
        batch_max_rows=settings.batch_max_rows,
        batch_max_bytes=settings.batch_max_bytes,
        array_dtype=settings.array_dtype,
        fast_json=settings.fast_json,
        traces=settings.sends_traces,
    )


def path_prefix(settings: Settings) -> str:
    """Return the prefix of the paths in swagger.json: the setting, else the prefix that azureml-fe used."""
    prefix = settings.service_path_prefix.strip("/")
    if not prefix and settings.front_end == "azureml":
        prefix = f"api/v1/service/{quote(settings.service_name)}"
    return f"/{prefix}" if prefix else ""
