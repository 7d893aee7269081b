"""What several of the harness's tests need."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster that does not answer."""
    path = tmp_path / "dead.kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    return path
