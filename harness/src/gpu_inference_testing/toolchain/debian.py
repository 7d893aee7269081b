"""Installs missing Debian packages for the embedded cluster and for building images."""

import os
import shutil

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain.preflight import missing_packages, operating_system, refuse


def install_missing(progress: Progress) -> list[str]:
    """Install the missing packages with apt; return their names.

    Raises:
        GpuInferenceError: this is not Linux, or the packages cannot be installed.
    """
    refuse(operating_system())
    # Packages for images are installed even if there is a docker client, which may have no engine.
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
    """Install packages without prompts and without recommended packages.

    Args:
        packages: names of the packages.
        progress: receives the steps.
        user: the user id. Default: this process' own.
        apt: the apt program.
        command: the command that the error tells the user to run as root.

    Raises:
        GpuInferenceError: apt does not exist, the user is not root, or apt fails.
    """
    if shutil.which(apt) is None:
        raise GpuInferenceError(
            f"Not installed: {', '.join(packages)}; they can be installed here only on Debian and Ubuntu.",
            "Install them with this system's package manager (their names may differ).",
        )
    if (os.geteuid() if user is None else user) != 0:
        raise GpuInferenceError(
            f"Not installed: {', '.join(packages)}; only root can install them.",
            f'sudo -E env "PATH=$PATH" {command}',
        )
    # Another apt may be running, for example on a machine that has just started.
    apt_command = [apt, "-o", "DPkg::Lock::Timeout=300"]
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    with progress.step("Updating Debian's list of packages"):
        run([*apt_command, "update"], env=environment)
    with progress.step(f"Installing {', '.join(packages)}"):
        run([*apt_command, "install", "--yes", "--no-install-recommends", *packages], env=environment)
