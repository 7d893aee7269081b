"""All settings in one typed, frozen object: command line over environment over config.json over default."""

import argparse
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FrontEnd = Literal["azureml", "none"]
LogFormat = Literal["text", "json"]

_FRONT_END_BODY_LIMIT = 100 * 1024 * 1024


class SettingsError(Exception):
    """A setting that the server cannot start with; the text is one sentence that names it."""


def _whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    limits = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"

    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"must be a whole number {limits}") from None
        if number < minimum or (maximum is not None and number > maximum):
            raise ValueError(f"must be a whole number {limits}")
        return number

    return parse


def _seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError("must be a number of seconds of at least 0")
    return number


def _ratio(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("must be a number from 0 to 1")
    return number


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError("must be an http:// or https:// URL")
    return value


def _switch(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def _https_url(value: str) -> str:
    # Whoever can change what comes from there can make tokens.
    if not re.fullmatch(r"https://[^/\s]+(/\S*)?", value):
        raise ValueError("must be a URL that begins with https://")
    return value


def _texts(value: str) -> tuple[str, ...]:
    try:
        texts = json.loads(value)
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError('must be a JSON list of at least one text, as ["one", "two"]')
    return tuple(texts)


def _comma_separated(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _is_true(value: str) -> bool:
    # As v1's server takes it: whatever is not true is false.
    return value.lower() == "true"


def _log_format(value: str) -> LogFormat:
    if value == "text":
        return "text"
    if value == "json":
        return "json"
    raise ValueError("must be text or json")


def _front_end(value: str) -> FrontEnd:
    if value == "azureml":
        return "azureml"
    if value == "none":
        return "none"
    raise ValueError("must be azureml or none")


@dataclass(frozen=True)
class Settings:
    """What the server was told; times are in the unit that the name says."""

    entry_script: str | None = None
    model_dir: str | None = None
    port: int = 5001
    health_port: int = 9090
    worker_count: int = 1
    app_root: Path = Path()
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
    cors_origins: tuple[str, ...] = ()
    service_path_prefix: str = ""
    service_version: str = "1.0"
    sends_server_version: bool = True
    shows_docs: bool = True
    log_format: LogFormat = "text"
    tensorflow_v1: bool = False
    model_data_directory: Path | None = None
    model_data_file_mb: int = 16
    model_data_total_mb: int = 1024
    app_insights: bool = False
    otlp_endpoint: str | None = None
    # Often somebody's credentials.
    otlp_headers: str | None = field(default=None, repr=False)
    telemetry_service_name: str | None = None
    resource_attributes: str | None = None
    traces_ratio: float = 1.0

    @property
    def body_limit(self) -> int | None:
        """The largest body that is read, bytes; None for no limit (the bare server's default)."""
        if self.max_body_bytes is None and self.front_end == "azureml":
            return _FRONT_END_BODY_LIMIT
        return self.max_body_bytes

    @property
    def asks_for_token(self) -> bool:
        """Whether a request must carry a token."""
        return self.token_jwks_file is not None or self.token_jwks_url is not None

    @property
    def queue_wait_seconds(self) -> float | None:
        """The longest wait in the queue, seconds; None for no end (the bare server never refuses)."""
        return self.max_queue_wait_ms / 1000 if self.front_end == "azureml" else None

    @property
    def graceful_seconds(self) -> float:
        """How long after SIGTERM the last answer may take: draining, queueing, scoring and 5 s to spare."""
        return self.drain_seconds + (self.max_queue_wait_ms + self.scoring_timeout_ms) / 1000 + 5


@dataclass(frozen=True)
class Source:
    """Where a field of Settings comes from; the variable is also the key in config.json."""

    field: str
    variable: str
    parse: Callable[[str], Any]
    flag: str | None = None
    help: str | None = None


SOURCES = (
    Source(
        "entry_script",
        "AZUREML_ENTRY_SCRIPT",
        str,
        "entry_script",
        "the scoring script, relative to the app root; without one a script answers that returns its input",
    ),
    Source(
        "model_dir",
        "AZUREML_MODEL_DIR",
        str,
        "model_dir",
        "the model's folder, which the script finds in its variable AZUREML_MODEL_DIR",
    ),
    Source("port", "SERVER_PORT", _whole_number(1, 65535), "port", "the port for scoring (5001)"),
    Source(
        "health_port",
        "HEALTH_PORT",
        _whole_number(1, 65535),
        "health_port",
        "the port for /live, /ready and /metrics (9090)",
    ),
    Source(
        "worker_count", "WORKER_COUNT", _whole_number(1), "worker_count", "model processes; only 1 for now"
    ),
    Source("source_directory", "AZUREML_SOURCE_DIRECTORY", str),
    Source("service_name", "SERVICE_NAME", str),
    Source("scoring_timeout_ms", "SCORING_TIMEOUT_MS", _whole_number(1)),
    Source("worker_timeout_seconds", "WORKER_TIMEOUT", _whole_number(1)),
    Source("front_end", "GPU_INFERENCE_FRONT_END", _front_end),
    Source("keys_directory", "GPU_INFERENCE_KEYS_DIR", Path),
    Source("token_issuer", "GPU_INFERENCE_TOKEN_ISSUER", str),
    Source("token_discovery_url", "GPU_INFERENCE_TOKEN_DISCOVERY_URL", _https_url),
    Source("token_audience", "GPU_INFERENCE_TOKEN_AUDIENCE", str),
    Source("token_allowed_subjects", "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS", _texts),
    Source("token_jwks_file", "GPU_INFERENCE_TOKEN_JWKS_FILE", Path),
    Source("token_jwks_url", "GPU_INFERENCE_TOKEN_JWKS_URL", _https_url),
    Source("token_jwks_ca_file", "GPU_INFERENCE_TOKEN_JWKS_CA_FILE", Path),
    Source("token_jwks_token_file", "GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE", Path),
    Source("max_concurrent_requests", "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS", _whole_number(1)),
    Source("max_queue_wait_ms", "GPU_INFERENCE_MAX_QUEUE_WAIT_MS", _whole_number(0)),
    Source("max_body_bytes", "GPU_INFERENCE_MAX_BODY_BYTES", _whole_number(1)),
    Source("drain_seconds", "GPU_INFERENCE_DRAIN_SECONDS", _seconds),
    Source("parallel_runs", "GPU_INFERENCE_PARALLEL_RUNS", _whole_number(1)),
    Source(
        "cors_origins",
        "AML_CORS_ORIGINS",
        _comma_separated,
        "access_control_allow_origins",
        "origins that web pages may send requests from, separated by commas; * for all",
    ),
    Source("service_path_prefix", "SERVICE_PATH_PREFIX", str),
    Source("service_version", "SERVICE_VERSION", str),
    Source("sends_server_version", "SERVER_VERSION_LOG_RESPONSE_ENABLED", _is_true),
    Source("shows_docs", "GPU_INFERENCE_DOCS", _switch),
    Source("log_format", "GPU_INFERENCE_LOG_FORMAT", _log_format),
    Source("tensorflow_v1", "GPU_INFERENCE_TENSORFLOW_V1", _switch),
    Source("model_data_directory", "GPU_INFERENCE_MODEL_DATA_DIR", Path),
    Source("model_data_file_mb", "GPU_INFERENCE_MODEL_DATA_FILE_MB", _whole_number(1)),
    Source("model_data_total_mb", "GPU_INFERENCE_MODEL_DATA_TOTAL_MB", _whole_number(1)),
    Source("app_insights", "AML_APP_INSIGHTS_ENABLED", _switch),
    # The names that every OpenTelemetry SDK reads.
    Source("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", _http_url),
    Source("otlp_headers", "OTEL_EXPORTER_OTLP_HEADERS", str),
    Source("telemetry_service_name", "OTEL_SERVICE_NAME", str),
    Source("resource_attributes", "OTEL_RESOURCE_ATTRIBUTES", str),
    Source("traces_ratio", "GPU_INFERENCE_TRACES_RATIO", _ratio),
)


def load_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Return the settings, each from the first place that has it; an empty variable counts as absent.

    The app root (AML_APP_ROOT, else the working directory) is where relative paths begin.

    Raises:
        SettingsError: a value is not what its setting takes, or two settings contradict each other.
    """
    flags = {name: text for name, text in vars(_parser().parse_args(arguments)).items() if text is not None}
    app_root = Path(environment.get("AML_APP_ROOT") or Path.cwd()).absolute()
    config_path = flags.get("config_file") or environment.get("AZUREML_CONFIG_FILE")
    script = flags.get("entry_script") or environment.get("AZUREML_ENTRY_SCRIPT")
    config = _read_config(app_root, config_path, script)

    values: dict[str, Any] = {}
    for source in SOURCES:
        if source.flag in flags:
            name, given = f"--{source.flag}", flags[source.flag]
        elif environment.get(source.variable):
            name, given = source.variable, environment[source.variable]
        elif source.variable in config:
            name, given = f"{source.variable} in the configuration file", config[source.variable]
        else:
            continue
        try:
            values[source.field] = source.parse(given)
        except ValueError as error:
            raise SettingsError(f"{name} is {given!r} but {error}.") from None
    settings = Settings(**values, app_root=app_root)
    _check_together(settings)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gpu-inference-server",
        description="Serve an Azure ML v1 entry script (init() and run()) over HTTP.",
    )
    for source in SOURCES:
        if source.flag:
            parser.add_argument(f"--{source.flag}", help=source.help)
    parser.add_argument(
        "--config_file", help="JSON with settings by the names of their environment variables (config.json)"
    )
    return parser


def _read_config(app_root: Path, explicit: str | None, script: str | None) -> dict[str, str]:
    """Return the configuration file's entries as text, as variables are; empty where there is no file."""
    if explicit:
        path = app_root / explicit
        if not path.is_file():
            raise SettingsError(f"The configuration file {os.fspath(path)} does not exist.")
    else:
        beside_script = [(app_root / script).parent] if script else []
        candidates = [folder / "config.json" for folder in [app_root, *beside_script]]
        found = next((candidate for candidate in candidates if candidate.is_file()), None)
        if found is None:
            return {}
        path = found
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"The configuration file {path} cannot be read as JSON: {error}.") from None
    if not isinstance(content, dict):
        raise SettingsError(f"The configuration file {path} must hold a JSON object.")
    # A config.json beside the script may well be the model's own: what is not ours is left alone.
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in content.items()
        if value is not None
    }


def _check_together(settings: Settings) -> None:
    if settings.worker_count > 1:
        raise SettingsError(
            f"The worker count is {settings.worker_count} but one process serves one model here: "
            "leave it at 1 and run more replicas."
        )
    if settings.port == settings.health_port:
        raise SettingsError(
            f"The port for scoring and the health port are both {settings.port}; they must differ."
        )
    if not settings.app_root.is_dir():
        raise SettingsError(f"AML_APP_ROOT is {os.fspath(settings.app_root)!r}, which is not a folder.")
    if settings.app_insights and settings.otlp_endpoint is None:
        raise SettingsError(
            "AML_APP_INSIGHTS_ENABLED is true but OTEL_EXPORTER_OTLP_ENDPOINT, the URL of the OpenTelemetry"
            " collector that traces go to, is not set: set it, or AML_APP_INSIGHTS_ENABLED to false."
        )
    if settings.model_data_total_mb < 2 * settings.model_data_file_mb:
        raise SettingsError(
            f"GPU_INFERENCE_MODEL_DATA_TOTAL_MB is {settings.model_data_total_mb}, but must be at least twice"
            f" GPU_INFERENCE_MODEL_DATA_FILE_MB, which is {settings.model_data_file_mb}."
        )
    _check_tokens(settings)
    if settings.keys_directory is None:
        return
    if settings.front_end == "none":
        raise SettingsError(
            "GPU_INFERENCE_KEYS_DIR is set but GPU_INFERENCE_FRONT_END is none, which asks for no key: "
            "set it to azureml, or unset the folder of keys."
        )
    if not settings.keys_directory.is_dir():
        raise SettingsError(
            f"GPU_INFERENCE_KEYS_DIR is {os.fspath(settings.keys_directory)!r}, which is not a folder."
        )


def _check_tokens(settings: Settings) -> None:
    given = [
        source.variable
        for source in SOURCES
        if source.field.startswith("token_") and getattr(settings, source.field)
    ]
    if not given:
        return
    if settings.front_end == "none":
        raise SettingsError(
            f"{given[0]} is set but GPU_INFERENCE_FRONT_END is none, which asks for no token: "
            "set it to azureml, or unset the former."
        )
    if settings.keys_directory is not None:
        raise SettingsError(f"GPU_INFERENCE_KEYS_DIR and {given[0]} are both set: keep one.")
    pairs = (
        ("token_jwks_file", "token_jwks_url", "where the issuer's keys are"),
        ("token_issuer", "token_discovery_url", "who the issuer is"),
    )
    for one, other, purpose in pairs:
        if (getattr(settings, one) is None) == (getattr(settings, other) is None):
            names = " and ".join(source.variable for source in SOURCES if source.field in (one, other))
            raise SettingsError(f"Exactly one of {names} must be set when tokens are asked for: {purpose}.")
    for field_name in ("token_audience", "token_allowed_subjects"):
        if not getattr(settings, field_name):
            (name,) = (source.variable for source in SOURCES if source.field == field_name)
            raise SettingsError(f"{given[0]} is set but {name} is not: set it too.")
