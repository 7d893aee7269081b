"""The process before it serves: its environment as scripts expect it, and the first lines of the log."""

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

# v1's server took no other key to be one.
_INSTRUMENTATION_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

log = logging.getLogger("gpu_inference")


def enter_app_root(settings: Settings) -> None:
    """Make the app root the working directory, as v1's images did, and tell scripts what they look for."""
    os.chdir(settings.app_root)
    os.environ |= seen_by_scripts(settings)


def seen_by_scripts(settings: Settings) -> dict[str, str]:
    """Return the variables that v1's server made or changed, so that scripts find them when nobody set them.

    It handed its settings to itself in the environment. Of those WORKER_COUNT, TRANSPORT_PROTOCOL and
    HTTP_X_MS_SERVER_VERSION told scripts nothing of use.
    """
    key = settings.app_insights_key
    has_somewhere_to_go = settings.otlp_endpoint is not None or (key and _INSTRUMENTATION_KEY.fullmatch(key))
    always = {
        "AML_APP_ROOT": str(settings.app_root),
        "SERVER_PORT": str(settings.port),
        # Where `GET /` tells whether the server is well: for v1's server the same port, unless one was given.
        "HEALTH_PORT": str(settings.health_port if settings.health_port_was_given else settings.port),
        "AML_APP_INSIGHTS_ENABLED": str(bool(settings.app_insights and has_somewhere_to_go)).lower(),
    }
    where_given = {
        "AZUREML_CONFIG_FILE": settings.config_file,
        "AZUREML_MODEL_DIR": settings.model_dir,
        "AZUREML_ENTRY_SCRIPT": settings.entry_script,
        "AML_CORS_ORIGINS": ",".join(settings.cors_origins),
        "AML_APP_INSIGHTS_KEY": key,
    }
    return always | {name: str(value) for name, value in where_given.items() if value}


def announce(settings: Settings, environment: Mapping[str, str]) -> None:
    """Log what this server is: one line for each thing that somebody may look for when it does not work."""
    log.info("gpu-inference-server %s, Python %s", __version__, platform.python_version())
    log.info("Entry script: %s", settings.entry_script or "none: the built-in one returns what it receives")
    log.info("App root and working directory: %s", settings.app_root)
    if settings.config_file:
        log.info("Configuration file: %s", settings.config_file)
    for line in _changed(settings):
        log.info("Setting %s", line)
    if settings.worker_count > 1 and gpus_in(Path("/dev")):
        log.warning(
            "WORKER_COUNT is %d and there is a GPU: each process loads the model into the GPU's memory.",
            settings.worker_count,
        )
    for warning in settings.warnings:
        log.warning("%s", warning)
    for variable, why in ignored(settings, environment):
        log.warning("%s is ignored: %s.", variable, why)
    name = settings.service_name
    log.info("Port %d: /, /score, /swagger.json%s", settings.port, ", /docs" if settings.shows_docs else "")
    log.info("Port %d: /api/v1/service/%s/score and .../swagger.json", settings.port, name)
    if settings.management_port is not None:
        log.info("Port %d: /live, /ready, /metrics", settings.management_port)


def gpus_in(devices: Path) -> list[str]:
    """Return the GPUs that this container was given, by their files: NVIDIA's, or AMD's compute device."""
    return sorted(path.name for pattern in ("nvidia[0-9]*", "kfd") for path in devices.glob(pattern))


def _changed(settings: Settings) -> Iterator[str]:
    by_name = {field.name: field for field in fields(Settings)}
    for source in SOURCES:
        field = by_name[source.field]
        value = getattr(settings, source.field)
        if value != field.default and source.field != "entry_script":
            yield f"{source.variable}: {_shown(value) if field.repr else '(given, not shown)'}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return without_credentials(str(value))


# Variables of v1's server that do nothing here, whatever else is set, and what to know about that.
_IGNORED = {
    "WORKER_PRELOAD": "each process loads the script by itself, since a GPU cannot be taken over a fork",
    "SEPERATE_HEALTH_ENDPOINT": "health has a port of its own anyway (HEALTH_PORT), and / is answered"
    " while run() is busy",
    "APP_INSIGHTS_LOG_RESPONSE_ENABLED": "neither requests' nor answers' bodies leave the server",
    "WORKSPACE_NAME": "there is no workspace",
    "HTTP_X_MS_SERVER_VERSION": "the header of that name says which server this is",
    "AML_MODEL_DC_STORAGE": "collected rows go to the folder GPU_INFERENCE_MODEL_DATA_DIR",
    "AML_MODEL_DC_EVENT_HUB": "collected rows go to the folder GPU_INFERENCE_MODEL_DATA_DIR",
    "AML_MODEL_DC_EVENT_HUB_ENABLED": "collected rows go to the folder GPU_INFERENCE_MODEL_DATA_DIR",
    "GUNICORN_CMD_ARGS": "gunicorn runs as the settings of this server say",
    "AML_DBG_MODEL_INFO": "v1's last server ignored it too",
    "AML_DBG_RESOURCE_INFO": "v1's last server ignored it too",
}
_COLLECTION = ("AML_MDC_STORAGE_ENABLED", "AML_MODEL_DC_STORAGE_ENABLED")
# What Kubernetes adds for a Service that is called like our prefix.
_SERVICE_LINK = re.compile(r"GPU_INFERENCE_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)")


def ignored(settings: Settings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each variable that is set and does nothing, with why or what to set instead."""
    for variable, why in _IGNORED.items():
        if environment.get(variable):
            yield variable, why
    if settings.app_insights_key and not settings.sends_traces:
        yield (
            "AML_APP_INSIGHTS_KEY",
            "telemetry goes to an OpenTelemetry collector, which can hand it on to Application Insights; set"
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
