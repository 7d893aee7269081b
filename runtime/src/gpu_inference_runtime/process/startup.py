"""The process before it serves: its environment as scripts expect it, and the first lines of the log."""

import logging
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from gpu_inference_runtime import __version__, stand_ins
from gpu_inference_runtime.settings import Settings, without_credentials
from gpu_inference_runtime.settings.sources import SOURCES

log = logging.getLogger("gpu_inference")


def enter_app_root(settings: Settings) -> None:
    """Make the app root the working directory, as v1's images did, and tell scripts what they look for."""
    os.chdir(settings.app_root)
    os.environ["AML_APP_ROOT"] = str(settings.app_root)
    for name, value in (
        ("AZUREML_MODEL_DIR", settings.model_dir),
        ("AZUREML_ENTRY_SCRIPT", settings.entry_script),
    ):
        if value:
            os.environ[name] = value


def announce(settings: Settings, environment: Mapping[str, str]) -> None:
    """Log what this server is: one line for each thing that somebody may look for when it does not work."""
    log.info("gpu-inference-server %s, Python %s", __version__, platform.python_version())
    log.info("Entry script: %s", settings.entry_script or "none: the built-in one returns what it receives")
    log.info("App root and working directory: %s", settings.app_root)
    if settings.config_file:
        log.info("Configuration file: %s", settings.config_file)
    for line in _changed(settings):
        log.info("Setting %s", line)
    for line in stand_ins.in_effect(settings):
        log.info("Stand-in: %s", line)
    if settings.worker_count > 1 and gpus_in(Path("/dev")):
        log.warning(
            "WORKER_COUNT is %d and there is a GPU: each process loads the model into the GPU's memory.",
            settings.worker_count,
        )
    for variable, why in ignored(settings, environment):
        log.warning("%s is ignored: %s.", variable, why)
    name = settings.service_name
    log.info("Port %d: /, /score, /swagger.json%s", settings.port, ", /docs" if settings.shows_docs else "")
    log.info("Port %d: /api/v1/service/%s/score and .../swagger.json", settings.port, name)
    log.info("Port %d: /live, /ready, /metrics", settings.health_port)


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
