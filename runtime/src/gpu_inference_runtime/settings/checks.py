"""Settings that contradict each other, or name what is not there: one sentence for each."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_inference_runtime.settings.sources import SOURCES

if TYPE_CHECKING:
    from gpu_inference_runtime.settings.settings import Settings

_VARIABLES = {source.field: source.variable for source in SOURCES}


def contradictions(settings: Settings) -> Iterator[str]:
    """Yield what the server cannot start with."""
    if settings.management_port is None and settings.front_end == "azureml":
        yield f"The port for scoring and the health port are both {settings.port}; they must differ."
    if not settings.app_root.is_dir():
        yield f"AML_APP_ROOT is {os.fspath(settings.app_root)!r}, which is not a folder."
    if settings.model_data_total_mb < 2 * settings.model_data_file_mb:
        yield (
            f"GPU_INFERENCE_MODEL_DATA_TOTAL_MB is {settings.model_data_total_mb}, but must be at least twice"
            f" GPU_INFERENCE_MODEL_DATA_FILE_MB, which is {settings.model_data_file_mb}."
        )
    if settings.script_python is not None and not _can_be_run(settings.script_python):
        yield (
            f"GPU_INFERENCE_SCRIPT_PYTHON is {settings.script_python!r}, which is not a program that can be"
            " run: set it to the path of a Python, such as /opt/old/bin/python3."
        )
    # In another Python it is that one's, which only its own start can tell.
    elif settings.debug_port is not None and not settings.script_python and not _has_debugger():
        yield (
            f"AZUREML_DEBUG_PORT is {settings.debug_port} but the package debugpy, which connects the script"
            " to a debugger there, is not installed: install it, or unset the variable."
        )
    yield from _of_keys(settings)
    yield from _of_tokens(settings)


def oddities(settings: Settings) -> Iterator[str]:
    """Yield what v1's server started with, so that ours does too, but that somebody should know of."""
    if settings.management_port is None:
        yield (
            f"The port for scoring and the health port are both {settings.port}: there is no /live, no /ready"
            " and no /metrics. HEALTH_PORT can name another port."
        )
    # With a key the log says so where it says what becomes of the key.
    if settings.app_insights and settings.otlp_endpoint is None and settings.app_insights_key is None:
        yield (
            "AML_APP_INSIGHTS_ENABLED is true but OTEL_EXPORTER_OTLP_ENDPOINT, the URL of the OpenTelemetry"
            " collector that traces go to, is not set: no trace is sent."
        )


def _can_be_run(program: str) -> bool:
    return Path(program).is_file() and os.access(program, os.X_OK)


def _has_debugger() -> bool:
    return importlib.util.find_spec("debugpy") is not None


def _of_keys(settings: Settings) -> Iterator[str]:
    if settings.keys_directory is None:
        return
    if settings.front_end == "none":
        yield (
            "GPU_INFERENCE_KEYS_DIR is set but GPU_INFERENCE_FRONT_END is none, which asks for no key: "
            "set it to azureml, or unset the folder of keys."
        )
    if not settings.keys_directory.is_dir():
        yield f"GPU_INFERENCE_KEYS_DIR is {os.fspath(settings.keys_directory)!r}, which is not a folder."


def _of_tokens(settings: Settings) -> Iterator[str]:
    given = [
        variable
        for field, variable in _VARIABLES.items()
        if field.startswith("token_") and getattr(settings, field)
    ]
    if not given:
        return
    if settings.front_end == "none":
        yield (
            f"{given[0]} is set but GPU_INFERENCE_FRONT_END is none, which asks for no token: "
            "set it to azureml, or unset the former."
        )
    if settings.keys_directory is not None:
        yield f"GPU_INFERENCE_KEYS_DIR and {given[0]} are both set: keep one."
    pairs = (
        ("token_jwks_file", "token_jwks_url", "where the issuer's keys are"),
        ("token_issuer", "token_discovery_url", "who the issuer is"),
    )
    for one, other, purpose in pairs:
        if (getattr(settings, one) is None) == (getattr(settings, other) is None):
            names = f"{_VARIABLES[one]} and {_VARIABLES[other]}"
            yield f"Exactly one of {names} must be set when tokens are asked for: {purpose}."
    for field in ("token_audience", "token_allowed_subjects"):
        if not getattr(settings, field):
            yield f"{given[0]} is set but {_VARIABLES[field]} is not: set it too."
