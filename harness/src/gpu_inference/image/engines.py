"""Chooses the program that builds images on this machine."""

import os
import shutil

from gpu_inference.errors import GpuInferenceError
from gpu_inference.image.buildah import Buildah
from gpu_inference.image.docker import Docker, docker_answers
from gpu_inference.image.engine import Engine


def find_engine() -> Engine:
    """Return Docker where its engine answers, else buildah.

    Raises:
        GpuInferenceError: there is neither, or buildah without root.
    """
    if docker_answers():
        return Docker()
    if shutil.which("buildah") is None:
        raise GpuInferenceError(
            "No program builds images here: no Docker engine answers, and buildah is not installed.",
            "Start Docker, or install buildah (Debian: apt-get install buildah mmdebstrap).",
        )
    if os.geteuid() != 0:
        raise GpuInferenceError(
            "buildah builds images here only as root: no Docker engine answers, and this user is not root.",
            "Start Docker, or run the command again with sudo.",
        )
    return Buildah()
