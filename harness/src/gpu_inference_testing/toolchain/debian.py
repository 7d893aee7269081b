"""Installs the Debian packages that are missing for the embedded cluster and for building images."""

import os
import shutil

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain.preflight import missing_packages, operating_system, refuse


def install_missing(progress: Progress) -> list[str]:
    """Install with apt what is not here yet; return the names of the packages installed.

    Raises:
        GpuInferenceError: this is no Linux, or packages are missing and cannot be installed.
    """
    refuse(operating_system())
    # Those for images even where there is a docker: often it is the client alone, without an engine.
    missing = missing_packages(versions.CLUSTER_PACKAGES | versions.IMAGE_PACKAGES)
    if missing:
        install(missing, progress)
    return missing


def install(
    packages: list[str],
    progress: Progress,
    user: int | None = None,
    apt: str = "apt-get",
    command: str = "gpu-inference cluster setup",
) -> None:
    """Install packages by name, asking nothing and taking nothing that is merely recommended.

    Args:
        packages: their names.
        progress: shows what goes on.
        user: who this is; 0 is root.
        apt: the program.
        command: what root would have to run instead.

    Raises:
        GpuInferenceError: there is no apt, this is not root, or apt fails.
    """
    if shutil.which(apt) is None:
        raise GpuInferenceError(
            f"Not installed: {', '.join(packages)}; and this is no Debian or Ubuntu, where we could do it.",
            "Install them with this system's own package manager (their names may differ there).",
        )
    if (os.geteuid() if user is None else user) != 0:
        raise GpuInferenceError(
            f"Not installed: {', '.join(packages)}; and only root can install them.",
            f'sudo -E env "PATH=$PATH" {command}',
        )
    # Another apt may be at work, as it is on a machine that has just started.
    patiently = [apt, "-o", "DPkg::Lock::Timeout=300"]
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with progress.step("Reading Debian's list of packages"):
        run([*patiently, "update"], env=environment)
    with progress.step(f"Installing {', '.join(packages)}"):
        run([*patiently, "install", "--yes", "--no-install-recommends", *packages], env=environment)
