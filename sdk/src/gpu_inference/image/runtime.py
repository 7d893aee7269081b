"""Builds the runtime image: the scoring server, and a framework where one is asked for."""

import hashlib

from gpu_inference import __version__
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image.debian_base import debian_base
from gpu_inference.image.engine import BuiltImage, Engine, built, find_engine
from gpu_inference.image.tree import digest
from gpu_inference.progress import Progress, Silent
from gpu_inference.resources import runtime_directory

Framework = str
"""One of FRAMEWORKS."""

FRAMEWORKS: tuple[Framework, ...] = (
    "none",
    *sorted(
        path.stem.removeprefix("requirements-") for path in runtime_directory().glob("requirements-*.lock")
    ),
)
"""What an image can hold beside the server: the Dockerfile installs the lock file of that name."""


def runtime_reference(framework: Framework = "none", base_image: str | None = None) -> str:
    """Return the runtime image's full name; one for each base image of the user's own."""
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
    """Return the runtime image, built unless nothing has changed since the last time.

    Args:
        framework: what is installed beside the server.
        base_image: what it is built on; the Dockerfile's default with Docker and a Debian of our own with
            buildah, unless given.
        engine: what builds it; Docker or buildah, whichever this machine has, unless given.
        progress: where to say what is done.

    Raises:
        GpuInferenceError: nothing here builds images, or the build fails; with its last lines.
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
    return built(stored, engine)
