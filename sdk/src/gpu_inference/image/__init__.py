"""Builds the runtime image, and images of services on top of it, with Docker or buildah."""

from gpu_inference.image.engine import BuiltImage, find_engine
from gpu_inference.image.model import Model, parse_model
from gpu_inference.image.runtime import FRAMEWORKS, Framework, runtime_image, runtime_reference
from gpu_inference.image.service_source import ServiceSource, service_image

__all__ = [
    "FRAMEWORKS",
    "BuiltImage",
    "Framework",
    "Model",
    "ServiceSource",
    "find_engine",
    "parse_model",
    "runtime_image",
    "runtime_reference",
    "service_image",
]
