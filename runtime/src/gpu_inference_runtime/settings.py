"""All settings in one typed, frozen object: command line over environment over config.json over default."""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FrontEnd = Literal["azureml", "none"]

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


def _switch(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


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
    max_concurrent_requests: int = 1
    max_queue_wait_ms: int = 500
    max_body_bytes: int | None = None
    drain_seconds: float = 0.0
    tensorflow_v1: bool = False

    @property
    def body_limit(self) -> int | None:
        """The largest body that is read, bytes; None for no limit (the bare server's default)."""
        if self.max_body_bytes is None and self.front_end == "azureml":
            return _FRONT_END_BODY_LIMIT
        return self.max_body_bytes

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
    Source("max_concurrent_requests", "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS", _whole_number(1)),
    Source("max_queue_wait_ms", "GPU_INFERENCE_MAX_QUEUE_WAIT_MS", _whole_number(0)),
    Source("max_body_bytes", "GPU_INFERENCE_MAX_BODY_BYTES", _whole_number(1)),
    Source("drain_seconds", "GPU_INFERENCE_DRAIN_SECONDS", _seconds),
    Source("tensorflow_v1", "GPU_INFERENCE_TENSORFLOW_V1", _switch),
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
