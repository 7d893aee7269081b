"""What several of the SDK's tests need."""

from pathlib import Path

import pytest
from tests.kubeconfigs import write_kubeconfig


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """The kubeconfig of a cluster that does not answer."""
    return write_kubeconfig(tmp_path / "dead.kubeconfig")
