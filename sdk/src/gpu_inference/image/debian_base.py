"""Builds a base for the runtime image from Debian packages, for engines that cannot pull the default base."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gpu_inference import process
from gpu_inference.image.engine import BuiltImage, Engine, as_built_image
from gpu_inference.progress import Progress
from gpu_inference.versions import DEBIAN_SUITE

_PACKAGES = ["python3", "python3-venv", "ca-certificates", "usr-is-merged"]
_OPTIONS = [
    "--variant=minbase",
    # Together with usr-is-merged above; otherwise the package usrmerge pulls in all of Perl (50 MB).
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    # Documentation is not needed in a pod.
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "info", "locale", "man")),
]
_DOCKERFILE = "FROM scratch\nADD base.tar /\n"


def debian_base(
    engine: Engine, progress: Progress, *, suite: str = DEBIAN_SUITE, packages: Sequence[str] = ()
) -> BuiltImage:
    """Return a base image of Debian with Python and CA certificates; build it if it does not exist.

    Args:
        engine: the engine that builds it.
        progress: receives the steps.
        suite: the Debian release.
        packages: further Debian packages, for example libraries that scripts import.

    Raises:
        GpuInferenceError: mmdebstrap is missing or fails; the message contains its last lines.
    """
    wanted = [*_PACKAGES, *packages]
    recipe = [suite, *wanted, *_OPTIONS, _DOCKERFILE]
    key = hashlib.sha256("\0".join(recipe).encode()).hexdigest()
    reference = f"localhost/gpu-inference-base:{key[:12]}"
    stored = engine.find(reference)
    if stored is None or stored.content != key:
        with (
            progress.step(f"Base image from Debian packages ({suite})"),
            tempfile.TemporaryDirectory(prefix="gpu-inference-base-") as scratch,
        ):
            context = Path(scratch)
            (context / "Dockerfile").write_text(_DOCKERFILE)
            process.run(
                [
                    "mmdebstrap",
                    "--quiet",
                    *_OPTIONS,
                    f"--include={','.join(wanted)}",
                    suite,
                    context / "base.tar",
                ]
            )
            stored = engine.build(reference, context, content=key)
    return as_built_image(stored, engine)
