"""Kubeconfigs of the tests' own servers, and of none."""

import json
from pathlib import Path

NOBODY = "https://127.0.0.1:1"
"""No API server answers there."""


def write_kubeconfig(path: Path, server: str = NOBODY) -> Path:
    """Write a kubeconfig that leads to this API server without credentials; return its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(json.dumps(content))
    return path
