"""Builds the runtime image: the scoring server and, optionally, a framework."""

import hashlib

from gpu_inference import __version__
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image.debian_base import debian_base
from gpu_inference.image.engine import BuiltImage, Engine, as_built_image, find_engine
from gpu_inference.image.tree import digest
from gpu_inference.progress import Progress, Silent
from gpu_inference.resources import runtime_directory

Framework = str
"""One of `FRAMEWORKS`."""

FRAMEWORKS: tuple[Framework, ...] = (
    "none",
    *sorted(
        path.stem.removeprefix("requirements-") for path in runtime_directory().glob("requirements-*.lock")
    ),
)
"""Frameworks that the runtime image can contain; the Dockerfile installs the lock file of that name."""


def runtime_reference(framework: Framework = "none", base_image: str | None = None) -> str:
    """Return the runtime image's full name, which depends on the framework and the user's base image."""
    suffix = "" if framework == "none" else f"-{framework}"
    if base_image is not None:
        suffix += f"-on-{hashlib.sha256(base_image.encode()).hexdigest()[:8]}"
    return f"docker.io/library/gpu-inference-runtime:{__version__}{suffix}"


def runtime_image(
    framework: Framework = "none",
    *,
    base_image: str | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> BuiltImage:
    """Return the runtime image; build it if it does not exist or its inputs have changed.

    Args:
        framework: the framework to install, one of `FRAMEWORKS`.
        base_image: an image with Python >= 3.11 and venv to build on. Default: with Docker the Dockerfile's
            default, with buildah a Debian base that is built here.
        engine: the engine that builds it. Default: the one that `find_engine` returns.
        progress: receives the steps. Default: they are not shown.

    Raises:
        GpuInferenceError: the framework does not exist, this machine has no engine, or the build fails.

    Example:
        runtime_image("pytorch", progress=Progress()).push("registry.example/runtime:1")
    """
    if framework not in FRAMEWORKS:
        raise GpuInferenceError(
            f"There is no framework {framework!r}; choose one of {', '.join(FRAMEWORKS)}."
        )
    progress = progress or Silent()
    engine = engine or find_engine()
    arguments: dict[str, str] = {"FRAMEWORK": framework}
    parts: list[str] = [digest(runtime_directory()), framework]
    if base_image is None and engine.builds_base:
        base = debian_base(engine, progress)
        arguments["BASE_IMAGE"] = base.reference
        parts.append(base.image_id)
    elif base_image is not None:
        arguments["BASE_IMAGE"] = base_image
        parts.append(base_image)
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    reference = runtime_reference(framework, base_image)
    stored = engine.find(reference)
    if stored is None or stored.content != key:
        with progress.step(
            f"Runtime image {reference.removeprefix('docker.io/library/')} with {engine.name}"
        ):
            stored = engine.build(reference, runtime_directory(), arguments=arguments, content=key)
    return as_built_image(stored, engine)
