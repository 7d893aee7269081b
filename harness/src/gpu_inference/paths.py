"""The two folders that the harness writes to outside the user's own: a cache and the clusters' state."""

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
    """Return where embedded clusters keep their state: `$GPU_INFERENCE_STATE_DIR`, else under /var/lib.

    Containers' overlays lie there, so it must be a disk, not an overlay itself.
    """
    return Path(os.environ.get("GPU_INFERENCE_STATE_DIR") or "/var/lib/gpu-inference").absolute()
