"""The folders outside the user's own: the cache, and the state of clusters on this machine."""

import os
from pathlib import Path


def cache_directory() -> Path:
    """Return where builds and downloads are kept: `$GPU_INFERENCE_CACHE_DIR`, else the user's cache.

    What lies there can be deleted at any time; it is then made again.
    """
    if explicit := os.environ.get("GPU_INFERENCE_CACHE_DIR"):
        return Path(explicit).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "gpu-inference"


def state_directory() -> Path:
    """Return where clusters made on this machine are kept: `$GPU_INFERENCE_STATE_DIR`, else /var/lib.

    Containers' overlays lie there, so it must be a disk, not an overlay itself.
    """
    return Path(os.environ.get("GPU_INFERENCE_STATE_DIR") or "/var/lib/gpu-inference").absolute()


def local_kubeconfig(name: str) -> Path:
    """Return where the kubeconfig of the embedded cluster of that name lies while it is up."""
    return state_directory() / name / "kubeconfig"
