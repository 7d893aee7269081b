"""All settings in one typed, frozen object: command line over environment over config.json over default."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from gpu_inference_runtime.settings.checks import contradictions
from gpu_inference_runtime.settings.config_file import find_config, read_config
from gpu_inference_runtime.settings.sources import SOURCES
from gpu_inference_runtime.settings.values import FrontEnd, LogFormat

__all__ = ["FrontEnd", "LogFormat", "Settings", "SettingsError", "load_settings", "without_credentials"]

_FRONT_END_BODY_LIMIT = 100 * 1024 * 1024
# Flags are a person's, who means the folder that they are in; variables belong to the app root.
_PATH_FLAGS = ("entry_script", "model_dir")


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
    cors_origins: tuple[str, ...] = ()
    service_path_prefix: str = ""
    service_version: str = "1.0"
    sends_server_version: bool = True
    shows_docs: bool = True
    log_format: LogFormat = "text"
    log_level: str = "INFO"
    debug_port: int | None = None
    tensorflow_v1: bool = False
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
    def sends_traces(self) -> bool:
        """Whether traces are asked for, and it is known where they go."""
        return self.app_insights and self.otlp_endpoint is not None

    @property
    def queue_wait_seconds(self) -> float | None:
        """The longest wait in the queue, seconds; None for no end (the bare server never refuses)."""
        return self.max_queue_wait_ms / 1000 if self.front_end == "azureml" else None

    @property
    def slots_per_worker(self) -> int:
        """The requests that each worker process works on at once; together at least as many as asked for."""
        return -(-self.max_concurrent_requests // self.worker_count)

    @property
    def graceful_seconds(self) -> float:
        """How long after SIGTERM the last answer may take: draining, queueing, scoring and 5 s to spare."""
        return self.drain_seconds + (self.max_queue_wait_ms + self.scoring_timeout_ms) / 1000 + 5


def load_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Return the settings, each from the first place that has it; an empty variable counts as absent.

    The app root (AML_APP_ROOT, else the working directory) is where relative paths begin, but for those of
    the command line, which begin in the working directory.

    Raises:
        SettingsError: a value is not what its setting takes, or two settings contradict each other.
    """
    flags = {name: text for name, text in vars(_parser().parse_args(arguments)).items() if text is not None}
    for name in {*_PATH_FLAGS, "config_file"} & flags.keys():
        flags[name] = os.path.normpath(Path.cwd() / flags[name])
    named_root = environment.get("AML_APP_ROOT")
    app_root = Path(named_root or Path.cwd()).absolute()
    config_file, config = _config(flags, environment, app_root)
    if not named_root and config.get("AML_APP_ROOT"):
        named_root = config["AML_APP_ROOT"]
        app_root = Path(named_root).absolute()

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
            value = source.parse(given)
        except ValueError as error:
            raise SettingsError(f"{name} is {without_credentials(given)!r} but {error}.") from None
        values[source.field] = app_root / value if isinstance(value, Path) else value
    # As in v1: who names an instrumentation key on the command line wants telemetry.
    if "appinsights_instrumentation_key" in flags:
        values["app_insights"] = True
    # v1's oldest images have their script there, and no variable for it.
    if "entry_script" not in values and (named_root or config_file) and (app_root / "main.py").is_file():
        values["entry_script"] = "main.py"
    settings = Settings(**values, app_root=app_root, config_file=config_file)
    for sentence in contradictions(settings):
        raise SettingsError(sentence)
    return settings


def without_credentials(text: str) -> str:
    """Return text with the user and password of a URL in it left out."""
    return re.sub(r"(?<=://)[^/@\s]*@", "…@", text)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message[:1].upper()}{message[1:]}; --help lists what there is.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gpu-inference-server",
        description="Serve an Azure ML v1 entry script (init() and run()) over HTTP.",
        epilog="Each flag has an environment variable, and most settings have that alone: docs/settings.md.",
    )
    for source in SOURCES:
        if source.flag:
            parser.add_argument(f"--{source.flag}", help=source.help)
    parser.add_argument(
        "--config_file", help="JSON with settings by the names of their environment variables (config.json)"
    )
    return parser


def _config(
    flags: Mapping[str, str], environment: Mapping[str, str], app_root: Path
) -> tuple[Path | None, dict[str, str]]:
    """Return the configuration file, where there is one, and its entries."""
    explicit = flags.get("config_file") or environment.get("AZUREML_CONFIG_FILE")
    if explicit:
        path = app_root / explicit
        if not path.is_file():
            raise SettingsError(f"The configuration file {path} does not exist.")
    else:
        script = flags.get("entry_script") or environment.get("AZUREML_ENTRY_SCRIPT")
        found = find_config(app_root, (app_root / script).parent if script else None)
        if found is None:
            return None, {}
        path = found
    try:
        return path, read_config(path)
    except ValueError as error:
        raise SettingsError(str(error)) from None
