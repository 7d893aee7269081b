"""What `ct install --upgrade` does in users' CI, with each of the chart's ci/*-values.yaml.

A plain cluster, no GPU asked for, no custom resources, only the runtime image: installed, tested with `helm
test`, upgraded, tested again, removed.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.live.conftest import NO_DRAIN
from tests.live.kubernetes_objects import left_of_release, pods_of

from gpu_inference import clients
from gpu_inference.helm import Helm
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory
from gpu_inference.service import Service

SCENARIOS = sorted((chart_directory() / "ci").glob("*-values.yaml"))


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


def helm_test(helm: Helm, service: Service) -> tuple[bool, str]:
    """Run `helm test`; return whether it passed, and what it says with the log of its pod."""
    place = [f"--namespace={service.namespace}", f"--kubeconfig={service.kubeconfig}"]
    command = [str(helm.program), "test", service.name, "--logs", *place]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode == 0, done.stdout


def test_the_scenario_installs_scores_upgrades_and_goes(
    release: Service, scenario: Path, chart: Path, kubeconfig: Path
) -> None:
    # Each major version has its scenarios; test_releases shows that both have the same life.
    helm = Helm(clients.helm(3 if SCENARIOS.index(scenario) % 2 else 4, Progress()), kubeconfig=kubeconfig)
    values = {**yaml.safe_load(scenario.read_text()), **NO_DRAIN}

    helm.upgrade(release.name, chart, values, namespace=release.namespace, wait=True)
    passed, log = helm_test(helm, release)
    assert passed, log
    assert "PASSED" in log

    before = {pod.metadata.uid for pod in pods_of(release)}
    values = {**values, "podAnnotations": {"example.com/revision": "2"}}
    helm.upgrade(release.name, chart, values, namespace=release.namespace, wait=True)
    assert before.isdisjoint(pod.metadata.uid for pod in pods_of(release))
    passed, log = helm_test(helm, release)
    assert passed, log
    assert "PASSED" in log

    assert release.delete()
    assert left_of_release(release) == []


def test_a_request_that_the_script_does_not_take_fails_the_test_and_the_log_says_what_to_set(
    namespace: str, chart: Path, kubeconfig: Path
) -> None:
    helm = Helm(clients.helm(4, Progress()), kubeconfig=kubeconfig)
    values = yaml.safe_load((chart_directory() / "ci" / "script-values.yaml").read_text())
    values["helmTest"]["request"] = '{"data": [1, 2, 3]}'
    service = Service("ci-wrong-request", namespace=namespace, kubeconfig=kubeconfig)
    try:
        helm.upgrade(service.name, chart, {**values, **NO_DRAIN}, namespace=namespace, wait=True)
        passed, log = helm_test(helm, service)
        assert not passed
        assert "answered 502 instead of 200" in log
        assert "helmTest.request" in log
    finally:
        service.delete()
        service.close()
