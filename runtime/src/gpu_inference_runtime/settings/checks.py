"""Checks between settings: each problem is one sentence that names the variables."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_inference_runtime.settings.sources import SOURCES

if TYPE_CHECKING:
    from gpu_inference_runtime.settings.definition import Settings

_VARIABLES = {source.field: source.variable for source in SOURCES}


def validation_errors(settings: Settings) -> Iterator[str]:
    """Yield one sentence for each reason why the server cannot start with these settings."""
    if settings.management_port is None and settings.front_end == "azureml":
        yield f"The port for scoring and the health port are both {settings.port}; they must differ."
    if not settings.app_root.is_dir():
        yield f"AML_APP_ROOT is {os.fspath(settings.app_root)!r}, which is not a folder."
    if settings.model_data_total_mb < 2 * settings.model_data_file_mb:
        yield (
            f"GPU_INFERENCE_MODEL_DATA_TOTAL_MB is {settings.model_data_total_mb}, but must be at least twice"
            f" GPU_INFERENCE_MODEL_DATA_FILE_MB, which is {settings.model_data_file_mb}."
        )
    if settings.script_python is not None and not _is_executable(settings.script_python):
        yield (
            f"GPU_INFERENCE_SCRIPT_PYTHON is {settings.script_python!r}, which is not an executable program:"
            " set it to the path of a Python, such as /opt/old/bin/python3."
        )
    # With a Python of its own, the script needs debugpy there; the start of the script process checks that.
    elif settings.debug_port is not None and not settings.script_python and not _has_debugger():
        yield (
            f"AZUREML_DEBUG_PORT is {settings.debug_port} but the package debugpy, which connects the script"
            " to a debugger there, is not installed: install it, or unset the variable."
        )
    yield from _key_errors(settings)
    yield from _token_errors(settings)


def validation_warnings(settings: Settings) -> Iterator[str]:
    """Yield one sentence for each problem that did not keep v1's server from starting either."""
    if settings.management_port is None:
        yield (
            f"The port for scoring and the health port are both {settings.port}: there is no /live, no /ready"
            " and no /metrics. Set HEALTH_PORT to another port."
        )
    # If there is a key, `startup.ignored_variables` explains this together with the key.
    if settings.app_insights and settings.otlp_endpoint is None and settings.app_insights_key is None:
        yield (
            "AML_APP_INSIGHTS_ENABLED is true but OTEL_EXPORTER_OTLP_ENDPOINT, the URL of the OpenTelemetry"
            " collector that traces go to, is not set: no trace is sent."
        )


def _is_executable(program: str) -> bool:
    return Path(program).is_file() and os.access(program, os.X_OK)


def _has_debugger() -> bool:
    return importlib.util.find_spec("debugpy") is not None


def _key_errors(settings: Settings) -> Iterator[str]:
    if settings.keys_directory is None:
        return
    if settings.front_end == "none":
        yield (
            "GPU_INFERENCE_KEYS_DIR is set but GPU_INFERENCE_FRONT_END is none, which asks for no key: "
            "set it to azureml, or unset the folder of keys."
        )
    if not settings.keys_directory.is_dir():
        yield f"GPU_INFERENCE_KEYS_DIR is {os.fspath(settings.keys_directory)!r}, which is not a folder."


def _token_errors(settings: Settings) -> Iterator[str]:
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
            "set it to azureml, or unset the token settings."
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
