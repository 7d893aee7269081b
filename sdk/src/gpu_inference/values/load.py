"""Checks a values mapping and says all that is wrong with it, in the SDK's words where the SDK has them."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gpu_inference.errors import GpuInferenceError
from gpu_inference.values.chart import ChartValues
from gpu_inference.values.deployment import Deployment


def load(values: Mapping[str, Any], where: str = "The values") -> ChartValues:
    """Return the values with their defaults filled in.

    Args:
        values: the content of a values file.
        where: what the error calls them, e.g. the file's name.

    Raises:
        GpuInferenceError: the chart would refuse them; the message has one line for each mistake.
    """
    try:
        return ChartValues.model_validate(dict(values))
    except ValidationError as error:
        lines = [line for details in error.errors() for line in _sentences(details)]
        raise GpuInferenceError("\n- ".join([f"{where} cannot be deployed:", *lines])) from error


def _sentences(error: ErrorDetails) -> Iterator[str]:
    path = ".".join(str(part) for part in error["loc"])
    name = str(error["loc"][-1]) if error["loc"] else ""
    in_deployment = len(error["loc"]) == 2 and error["loc"][0] == "deployment"
    match error["type"]:
        case "value_error":
            yield from str(error["ctx"]["error"]).splitlines()
        case "extra_forbidden":
            yield f"{path} is not a value of this chart{_hint(name, in_deployment)}."
        case "greater_than" | "greater_than_equal" if in_deployment:
            bound = "greater than or equal to zero" if name == "gpu_cores" else "greater than zero"
            yield f"Invalid configuration, {name} must be {bound}."
        case "string_pattern_mismatch" if in_deployment and name == "namespace":
            yield (
                "Invalid configuration, namespace must be a valid Kubernetes namespace."
                " Regex for validation is ^[a-z0-9]([a-z0-9-]{,61}[a-z0-9])?$"
            )
        case "string_pattern_mismatch" if name in ("primary_key", "secondary_key"):
            # Not what was given: it is somebody's key.
            yield f"{path} must consist of printable ASCII characters other than space, at least one."
        case "missing":
            yield f"{path} is missing."
        case _:
            yield f"{path}: {error['msg']}, not {error['input']!r}."


def _hint(name: str, in_deployment: bool) -> str:
    known = [
        field.alias or key
        for key, field in (Deployment if in_deployment else ChartValues).model_fields.items()
    ]
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
