"""One Helm process for each distinct input also where several workers share the tests."""

import os

import pytest
from tests.chart.rendering import share_renders


@pytest.fixture(scope="session", autouse=True)
def _renders_shared_between_workers(tmp_path_factory: pytest.TempPathFactory) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a folder of its own in that of the run, which pytest removes some runs later.
        share_renders(tmp_path_factory.getbasetemp().parent / "renders")
