"""Before serving: the environment variables that scripts expect, and the first log lines."""

import logging
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from gpu_inference_runtime import __version__
from gpu_inference_runtime.settings import Settings, without_credentials
from gpu_inference_runtime.settings.sources import SOURCES

# v1's server ignored any other instrumentation key.
_INSTRUMENTATION_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

log = logging.getLogger("gpu_inference")


def enter_app_root(settings: Settings) -> None:
    """Make the app root the working directory, as in v1's images, and set the variables that scripts read."""
    os.chdir(settings.app_root)
    os.environ |= script_environment(settings)


def script_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that v1's server set or changed, for scripts that read them.

    It also set WORKER_COUNT, TRANSPORT_PROTOCOL and HTTP_X_MS_SERVER_VERSION, which are of no use to scripts.
    """
    key = settings.app_insights_key
    has_destination = settings.otlp_endpoint is not None or (key and _INSTRUMENTATION_KEY.fullmatch(key))
    always = {
        "AML_APP_ROOT": str(settings.app_root),
        "SERVER_PORT": str(settings.port),
        # The port of `GET /`, the health check: v1's server used the scoring port unless one was set.
        "HEALTH_PORT": str(settings.health_port if settings.health_port_was_given else settings.port),
        "AML_APP_INSIGHTS_ENABLED": str(bool(settings.app_insights and has_destination)).lower(),
    }
    if_set = {
        "AZUREML_CONFIG_FILE": settings.config_file,
        "AZUREML_MODEL_DIR": settings.model_dir,
        "AZUREML_ENTRY_SCRIPT": settings.entry_script,
        "AML_CORS_ORIGINS": ",".join(settings.cors_origins),
        "AML_APP_INSIGHTS_KEY": key,
    }
    return always | {name: str(value) for name, value in if_set.items() if value}


def log_startup(settings: Settings, environment: Mapping[str, str]) -> None:
    """Log what helps to find a problem: versions, paths, changed settings, warnings and ports."""
    log.info("gpu-inference-server %s, Python %s", __version__, platform.python_version())
    log.info("Entry script: %s", settings.entry_script or "none: the built-in one returns what it receives")
    log.info("App root and working directory: %s", settings.app_root)
    if settings.config_file:
        log.info("Configuration file: %s", settings.config_file)
    for line in _non_default_settings(settings):
        log.info("Setting %s", line)
    if settings.worker_count > 1 and gpu_devices(Path("/dev")):
        log.warning(
            "WORKER_COUNT is %d and there is a GPU: each process loads the model into the GPU's memory.",
            settings.worker_count,
        )
    for warning in settings.warnings:
        log.warning("%s", warning)
    for variable, why in ignored_variables(settings, environment):
        log.warning("%s is ignored: %s.", variable, why)
    name = settings.service_name
    log.info("Port %d: /, /score, /swagger.json%s", settings.port, ", /docs" if settings.shows_docs else "")
    log.info("Port %d: /api/v1/service/%s/score and .../swagger.json", settings.port, name)
    if settings.management_port is not None:
        log.info("Port %d: /live, /ready, /metrics", settings.management_port)


def gpu_devices(devices: Path) -> list[str]:
    """Return the names of this container's GPU device files: NVIDIA's, or AMD's compute device."""
    return sorted(path.name for pattern in ("nvidia[0-9]*", "kfd") for path in devices.glob(pattern))


def _non_default_settings(settings: Settings) -> Iterator[str]:
    by_name = {field.name: field for field in fields(Settings)}
    for source in SOURCES:
        field = by_name[source.field]
        value = getattr(settings, source.field)
        if value != field.default and source.field != "entry_script":
            yield f"{source.variable}: {_display(value) if field.repr else '(given, not shown)'}"


def _display(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return without_credentials(str(value))


# Variables of v1's server that have no effect here, and why.
_IGNORED = {
    "WORKER_PRELOAD": "each process loads the script by itself, because a GPU cannot be used across a fork",
    "SEPERATE_HEALTH_ENDPOINT": "health has a port of its own anyway (HEALTH_PORT), and / is answered"
    " while run() is busy",
    "APP_INSIGHTS_LOG_RESPONSE_ENABLED": "the server sends no request or response bodies anywhere",
    "WORKSPACE_NAME": "there is no workspace",
    "HTTP_X_MS_SERVER_VERSION": "the header of that name says which server this is",
    "AML_MODEL_DC_STORAGE": "collected rows go to the folder GPU_INFERENCE_MODEL_DATA_DIR",
    "AML_MODEL_DC_EVENT_HUB": "collected rows go to the folder GPU_INFERENCE_MODEL_DATA_DIR",
    "AML_MODEL_DC_EVENT_HUB_ENABLED": "collected rows go to the folder GPU_INFERENCE_MODEL_DATA_DIR",
    "GUNICORN_CMD_ARGS": "gunicorn is configured by the settings of this server alone",
    "AML_DBG_MODEL_INFO": "v1's last server ignored it too",
    "AML_DBG_RESOURCE_INFO": "v1's last server ignored it too",
}
_COLLECTION = ("AML_MDC_STORAGE_ENABLED", "AML_MODEL_DC_STORAGE_ENABLED")
# Kubernetes adds these variables for a Service whose name starts like our prefix.
_SERVICE_LINK = re.compile(r"GPU_INFERENCE_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)")


def ignored_variables(settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each variable that is set but has no effect, with the reason or what to set instead."""
    for variable, why in _IGNORED.items():
        if environment.get(variable):
            yield variable, why
    if settings.app_insights_key and not settings.sends_traces:
        yield (
            "AML_APP_INSIGHTS_KEY",
            "telemetry goes to an OpenTelemetry collector, which can forward it to Application Insights; set"
            " AML_APP_INSIGHTS_ENABLED to true and OTEL_EXPORTER_OTLP_ENDPOINT to the collector's URL",
        )
    elif settings.app_insights_key:
        yield "AML_APP_INSIGHTS_KEY", "the collector has the key of Application Insights"
    if settings.model_data_directory is None:
        for variable in _COLLECTION:
            if environment.get(variable, "").lower() == "true":
                yield variable, "set GPU_INFERENCE_MODEL_DATA_DIR to the folder that rows should go to"
    known = {source.variable for source in SOURCES}
    for variable in sorted(environment.keys() - known):
        if variable.startswith("GPU_INFERENCE_") and not _SERVICE_LINK.fullmatch(variable):
            yield variable, "there is no such setting; docs/settings.md lists them"
