"""Folders for cached files and for the state of clusters on this machine."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return the folder for builds and downloads: `$GPU_INFERENCE_CACHE_DIR`, or the user's cache.

    Its content can be deleted at any time; it is created again when needed.
    """
    if explicit := os.environ.get("GPU_INFERENCE_CACHE_DIR"):
        return Path(explicit).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "gpu-inference"


def state_directory() -> Path:
    """Return the folder for clusters on this machine: `$GPU_INFERENCE_STATE_DIR`, or one under /var/lib.

    It holds overlay mounts of containers, so its file system must not be an overlay itself.
    """
    return Path(os.environ.get("GPU_INFERENCE_STATE_DIR") or "/var/lib/gpu-inference").absolute()


def local_kubeconfig(name: str) -> Path:
    """Return the path of an embedded cluster's kubeconfig, which exists while the cluster is up."""
    return state_directory() / name / "kubeconfig"
