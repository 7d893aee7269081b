"""`make demo` on the tests' own cluster: digits are drawn and read, and a second run finds all in place."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.conftest import SAMPLE
from tests.live.kubernetes_objects import pods_of

from gpu_inference.cluster import Cluster
from gpu_inference.helm import Helm
from gpu_inference.image.runtime import runtime_reference
from gpu_inference.process import run
from gpu_inference.service import Service


@pytest.fixture(scope="module")
def first_run(cluster: Cluster, kubeconfig: Path) -> Iterator[str]:
    yield _demo(cluster)
    service = Service("aks-dnn-mnist", kubeconfig=kubeconfig)
    service.delete()
    service.close()


def test_the_demo_reads_all_ten_digits_and_draws_them(first_run: str) -> None:
    assert "10 of 10 right" in first_run
    assert len(re.findall(r"predicted (\d), label \1", first_run)) == 10
    assert first_run.count("█") > 100


def test_the_commands_that_the_demo_shows_work_as_they_stand(first_run: str) -> None:
    shown = first_run[first_run.index("The service goes on running") :]
    commands = re.sub(r"\\\n\s+", "", shown)
    by_start = {line.split()[0]: line.strip() for line in commands.splitlines() if line.startswith("  ")}
    script = "\n".join([by_start["export"], _line(commands, "key="), _line(commands, "curl ")])
    assert run(["bash", "-ec", script], cwd=SAMPLE.parents[1]).strip() == "[7]"


def test_a_bare_helm_install_works_on_the_demos_cluster(
    first_run: str, kubeconfig: Path, chart: Path, namespace: str
) -> None:
    # Other tests may have loaded the image that the chart names without values.
    assert f"Loading {runtime_reference()}" in first_run
    Helm(kubeconfig=kubeconfig).upgrade("bare", chart, {}, namespace=namespace)
    with contextlib.closing(Service("bare", namespace=namespace, kubeconfig=kubeconfig)) as bare:
        try:
            bare.wait_for_deployment(timeout_sec=120)
            assert bare.run('"hello"') == '"hello"'
        finally:
            bare.delete()


@pytest.mark.usefixtures("first_run")
def test_a_second_demo_trains_builds_and_replaces_nothing(cluster: Cluster, kubeconfig: Path) -> None:
    service = Service("aks-dnn-mnist", kubeconfig=kubeconfig)
    before = {pod.metadata.uid for pod in pods_of(service)}
    second = _demo(cluster)
    assert "10 of 10 right" in second
    assert "epoch" not in second
    assert "Runtime image" not in second
    assert {pod.metadata.uid for pod in pods_of(service)} == before


def _demo(cluster: Cluster) -> str:
    done = subprocess.run(
        [sys.executable, SAMPLE / "demo.py", "--cluster", cluster.name],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=SAMPLE.parents[1],
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    return done.stdout


def _line(text: str, start: str) -> str:
    return next(line.strip() for line in text.splitlines() if line.strip().startswith(start))
