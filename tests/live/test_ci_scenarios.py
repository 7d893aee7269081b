"""What `ct install --upgrade` does in users' CI, with each of the chart's ci/*-values.yaml.

A plain cluster, no GPU asked for, no custom resources, only the runtime image: installed, tested with `helm
test`, upgraded, tested again, removed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.live.kubernetes_objects import left_of_release, pods_of

from gpu_inference.helm import Helm
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory
from gpu_inference.service import Service
from gpu_inference.toolchain import clients

SCENARIOS = sorted((chart_directory() / "ci").glob("*-values.yaml"))
# The pods' leaving is waited for; nobody sends requests here.
QUICK = {"drain": {"preStopSleepSeconds": 1, "seconds": 1}}


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(params=SCENARIOS, ids=lambda path: path.name.removesuffix("-values.yaml"))
def scenario(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def release(namespace: str, kubeconfig: Path, scenario: Path) -> Iterator[Service]:
    name = f"ci-{scenario.name.removesuffix('-values.yaml')}"[:32].rstrip("-")
    service = Service(name, namespace=namespace, kubeconfig=kubeconfig)
    yield service
    service.delete()
    service.close()


def helm_test(helm: Helm, service: Service) -> str:
    """Run `helm test` and return the log of its pod."""
    place = [f"--namespace={service.namespace}", f"--kubeconfig={service.kubeconfig}"]
    return run([helm.program, "test", service.name, "--logs", *place])


def test_the_scenario_installs_scores_upgrades_and_goes(
    release: Service, scenario: Path, chart: Path, kubeconfig: Path
) -> None:
    # Each major version has its scenarios; test_releases shows that both have the same life.
    helm = Helm(clients.helm(3 if SCENARIOS.index(scenario) % 2 else 4, Progress()), kubeconfig=kubeconfig)
    values = {**yaml.safe_load(scenario.read_text()), **QUICK}

    helm.upgrade(release.name, chart, values, namespace=release.namespace, wait=True)
    assert "PASSED" in helm_test(helm, release)

    before = {pod.metadata.uid for pod in pods_of(release)}
    values = {**values, "podAnnotations": {"example.com/revision": "2"}}
    helm.upgrade(release.name, chart, values, namespace=release.namespace, wait=True)
    assert before.isdisjoint(pod.metadata.uid for pod in pods_of(release))
    assert "PASSED" in helm_test(helm, release)

    assert release.delete()
    assert left_of_release(release) == []
