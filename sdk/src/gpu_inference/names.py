"""Validates names of services and models by v1's rules, and expands names of images."""

import re

from gpu_inference.errors import GpuInferenceError

_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_MODEL_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._]{0,254}")


def require_service_name(name: str) -> None:
    """Raise GpuInferenceError with v1's message unless `name` is a valid name of a service."""
    if not _SERVICE_NAME.fullmatch(name) or not 3 <= len(name) <= 32:
        raise GpuInferenceError(
            "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or "
            "dashes, start with a letter, end with a letter or number, and be between 3 and 32 characters "
            "long."
        )


def require_model_name(name: str) -> None:
    """Raise GpuInferenceError unless `name` is a valid name of a model by v1's rules."""
    if not _MODEL_NAME.fullmatch(name):
        raise GpuInferenceError(
            f"Error, provided model name {name!r} is invalid. It must only consist of letters, numbers, "
            "dashes, periods, or underscores, start with a letter or number, and be between 1 and 255 "
            "characters long."
        )


def full_name(image: str) -> str:
    """Return an image's name with the registry that Docker and Kubernetes use by default.

    `full_name("abc:1")` is `docker.io/library/abc:1`; a name with a registry is returned unchanged.
    """
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"docker.io/{image}" if slash else f"docker.io/library/{image}"
