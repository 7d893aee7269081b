"""Reads and merges chart values from files and from `PATH=VALUE` settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from gpu_inference.errors import GpuInferenceError


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` updated with `changes` as Helm does: maps are merged, everything else is replaced."""
    result = dict(values)
    for key, change in changes.items():
        old = result.get(key)
        both_maps = isinstance(old, Mapping) and isinstance(change, Mapping)
        result[key] = merged(old or {}, change) if both_maps else change
    return result


def read_values(path: Path) -> dict[str, Any]:
    """Return the values in a YAML or JSON file.

    Raises:
        GpuInferenceError: the file cannot be read, or its content is not a map.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise GpuInferenceError(f"The values file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise GpuInferenceError(f"The values file {path} is not YAML: {error}.") from error
    if values is not None and not isinstance(values, dict):
        raise GpuInferenceError(f"The values file {path} must contain a map, not {type(values).__name__}.")
    return values or {}


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return the values that settings like `deployment.num_replicas=3` describe; the right side is YAML.

    `parse_settings(["deployment.num_replicas=3"])` is `{"deployment": {"num_replicas": 3}}`.

    Raises:
        GpuInferenceError: a setting has another form, or its value is not YAML.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not all(path.split(".")):
            raise GpuInferenceError(
                f"{setting!r} does not set a value.", "Write it like deployment.num_replicas=3"
            )
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise GpuInferenceError(f"The value in {setting!r} is not YAML.") from error
        for name in reversed(path.split(".")):
            value = {name: value}
        values = merged(values, value)
    return values
