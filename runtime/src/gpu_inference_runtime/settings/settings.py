"""The settings as one typed, frozen object, and what follows from several of them."""

from dataclasses import dataclass, field
from pathlib import Path

from gpu_inference_runtime.settings.values import FrontEnd, LogFormat

_FRONT_END_BODY_LIMIT = 100 * 1024 * 1024


class SettingsError(Exception):
    """A setting that the server cannot start with; the text is one sentence that names it."""


@dataclass(frozen=True)
class Settings:
    """What the server was told; times are in the unit that the name says."""

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
    # Often somebody's credentials.
    otlp_headers: str | None = field(default=None, repr=False)
    telemetry_service_name: str | None = None
    resource_attributes: str | None = None
    traces_ratio: float = 1.0
    # Whether somebody asked for that port, and did not merely get the default.
    health_port_was_given: bool = field(default=False, compare=False)
    # One sentence for each thing that v1's server would have started with, and that is not what it seems.
    warnings: tuple[str, ...] = ()

    @property
    def body_limit(self) -> int | None:
        """The largest body that is read, bytes; None for no limit (the bare server's default)."""
        if self.max_body_bytes is None and self.front_end == "azureml":
            return _FRONT_END_BODY_LIMIT
        return self.max_body_bytes

    @property
    def management_port(self) -> int | None:
        """The port for /live, /ready and /metrics; None where it is the one for scoring."""
        return None if self.health_port == self.port else self.health_port

    @property
    def asks_for_token(self) -> bool:
        """Whether a request must carry a token."""
        return self.token_jwks_file is not None or self.token_jwks_url is not None

    @property
    def sends_traces(self) -> bool:
        """Whether traces are asked for, and it is known where they go."""
        return self.app_insights and self.otlp_endpoint is not None

    @property
    def queue_wait_seconds(self) -> float | None:
        """The longest wait in the queue, seconds; None for no end (the bare server never refuses)."""
        return self.max_queue_wait_ms / 1000 if self.front_end == "azureml" else None

    @property
    def slots_per_worker(self) -> int:
        """The requests that each script process works on at once; together at least as many as asked for."""
        return -(-self.max_concurrent_requests // self.worker_count)

    @property
    def slots(self) -> int:
        """The requests that are admitted at once: as many as asked for, and as many for each process."""
        return self.slots_per_worker * self.worker_count

    @property
    def graceful_seconds(self) -> float:
        """How long after SIGTERM the last answer may take: draining, queueing, scoring and 5 s to spare."""
        return self.drain_seconds + (self.max_queue_wait_ms + self.scoring_timeout_ms) / 1000 + 5
