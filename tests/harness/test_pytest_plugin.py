"""The plugin's fixtures in somebody else's tests, as far as they go without a cluster."""

import re
import sys
from pathlib import Path

import pytest
from tests.kubeconfigs import write_kubeconfig

from gpu_inference.process import run
from gpu_inference_testing.pytest_plugin import namespace_report

MINE = """
import pytest

def test_cluster(cluster):
    assert (cluster.name, cluster.status().running) == ("kubeconfig", False)

def test_chart(chart):
    assert chart.name == "my-chart"

@pytest.mark.parametrize("name", ["kubeconfig", "kube_config"])
def test_that_the_cluster_is_asked(name, request):
    request.getfixturevalue(name)
"""


@pytest.fixture
def dead_kubeconfig(tmp_path: Path) -> Path:
    return write_kubeconfig(tmp_path / "dead.kubeconfig")


def pytest_of(folder: Path, *words: str | Path) -> str:
    """Run pytest as somebody else does, in a folder of their own; return what it says, failed or not."""
    shell = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    return run([*shell, "--rootdir", folder, *words], cwd=folder)


def test_the_options_are_explained(tmp_path: Path) -> None:
    said = pytest_of(tmp_path, "--help")
    for option in ("provider", "cluster-name", "gpus", "keep-cluster"):
        assert f"--gpu-inference-{option}" in said


def test_the_fixtures_are_explained(tmp_path: Path) -> None:
    said = pytest_of(tmp_path, "--fixtures")
    for fixture in ("cluster", "kubeconfig", "chart", "namespace"):
        described = re.search(
            rf"^{fixture} \[\w+ scope\] -- .*pytest_plugin\.py:\d+\n    (.*)$", said, re.MULTILINE
        )
        assert described, fixture
        assert "no docstring" not in described[1]


def test_the_fixtures_use_the_given_cluster_and_chart(tmp_path: Path, dead_kubeconfig: Path) -> None:
    (tmp_path / "test_mine.py").write_text(MINE)
    said = pytest_of(tmp_path, "--kubeconfig", dead_kubeconfig, "--chart-path", "my-chart")
    assert "RemovedIn" not in said
    assert "2 passed" in said
    # Both lead to the cluster, which does not answer.
    assert said.count("E           gpu_inference.errors.GpuInferenceError: The cluster of") == 2
    assert "does not answer" in said


def test_the_report_of_a_cluster_that_does_not_answer_says_so(dead_kubeconfig: Path) -> None:
    report = namespace_report(dead_kubeconfig, "lab")
    assert report.count("--- kubectl -n lab ") == 3
    assert report.count(" exited with 1:\n") == 3
