"""Keys and upgrades over a release's life, with the lowest and the highest Helm, and from released charts."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import statuses
from tests.live.kubernetes_objects import left_of_release

from gpu_inference import __version__, clients
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference.service import Service

RELEASES = sorted((Path(__file__).parent / "releases").glob("*.tgz"))
# The bare runtime: its built-in script echoes.
VALUES: dict[str, Any] = {"deployment": {"gpu_cores": 0}, **NO_DRAIN}
OWN_KEYS = {"primary_key": "first-of-my-own", "secondary_key": "second-of-my-own"}
HELMS: dict[str, Callable[[], Path]] = {
    "helm3": lambda: clients.helm(3, Progress()),
    "helm4": lambda: clients.helm(4, Progress()),
}


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(params=HELMS)
def helm(request: pytest.FixtureRequest, kubeconfig: Path) -> Helm:
    return Helm(HELMS[request.param](), kubeconfig=kubeconfig)


@pytest.fixture(scope="module", params=HELMS)
def made(
    request: pytest.FixtureRequest, namespace: str, kubeconfig: Path, chart: Path
) -> Iterator[tuple[Service, Helm]]:
    """A service whose keys were made in the cluster; the last test with it deletes it."""
    helm = Helm(HELMS[request.param](), kubeconfig=kubeconfig)
    helm.upgrade("made", chart, VALUES, namespace=namespace)
    service = Service("made", namespace=namespace, kubeconfig=kubeconfig, helm=helm.program)
    service.wait_for_deployment(timeout_sec=120)
    yield service, helm
    service.delete()


def test_keys_survive_an_upgrade_and_a_rollback_and_a_revoked_one_stays_revoked(
    made: tuple[Service, Helm], chart: Path
) -> None:
    service, helm = made
    revoked, secondary = service.get_keys()
    service.regen_key("primary")
    primary, _ = service.get_keys()

    helm.upgrade("made", chart, {**VALUES, "podAnnotations": {"a": "b"}}, namespace=service.namespace)
    service.wait_for_deployment(timeout_sec=120)
    assert service.get_keys() == (primary, secondary)

    namespace = f"--namespace={service.namespace}"
    run([helm.program, "rollback", "made", "1", namespace, f"--kubeconfig={service.kubeconfig}"])
    service.wait_for_deployment(timeout_sec=120)
    assert service.get_keys() == (primary, secondary)
    assert statuses(service, revoked) == {401}
    assert statuses(service, primary) == {200}
    assert service.run('"still here"') == '"still here"'


def test_deleting_leaves_nothing_in_the_namespace(made: tuple[Service, Helm]) -> None:
    service, _ = made
    assert service.delete()
    assert left_of_release(service) == []


def test_keys_given_after_a_rotation_replace_those_that_were_made_and_go_when_they_are_taken_back(
    helm: Helm, release: Service, chart: Path
) -> None:
    helm.upgrade("echo", chart, VALUES, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    release.regen_key("primary")
    release.regen_key("secondary")
    made = release.get_keys()

    values = {**VALUES, "deployment": {**VALUES["deployment"], **OWN_KEYS}}
    helm.upgrade("echo", chart, values, namespace=release.namespace)
    assert release.get_keys() == tuple(OWN_KEYS.values())

    helm.upgrade("echo", chart, VALUES, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    again = wait_for_keys(release)
    assert not set(again) & {*made, *OWN_KEYS.values()}


def test_a_release_of_helm_3_is_upgraded_by_helm_4(release: Service, chart: Path, kubeconfig: Path) -> None:
    Helm(HELMS["helm3"](), kubeconfig=kubeconfig).upgrade("echo", chart, VALUES, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    release.regen_key("secondary")
    keys = release.get_keys()
    helm4 = Helm(HELMS["helm4"](), kubeconfig=kubeconfig)
    helm4.upgrade("echo", chart, {**VALUES, "podAnnotations": {"a": "b"}}, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    assert release.get_keys() == keys
    release.regen_key("primary")
    assert release.get_keys()[1] == keys[1]


@pytest.mark.parametrize("released", RELEASES, ids=lambda path: path.stem)
def test_a_released_chart_is_upgraded_to_this_one(
    released: Path, helm: Helm, release: Service, chart: Path
) -> None:
    # The image of then is not here to be had; the server of now runs under the chart of then.
    now = {**VALUES, "image": {"tag": __version__}}
    helm.upgrade("echo", released, now, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    keys = release.get_keys()
    helm.upgrade("echo", chart, VALUES, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    assert release.get_keys() == keys
    assert release.run("1") == "1"


def test_the_first_release_is_kept_to_be_upgraded_from() -> None:
    assert [path.name for path in RELEASES][:1] == ["gpu-inference-0.1.0.tgz"]


def test_explicit_keys_are_the_services_keys(helm: Helm, release: Service, chart: Path) -> None:
    values = {**VALUES, "deployment": {**VALUES["deployment"], **OWN_KEYS}}
    helm.upgrade("echo", chart, values, namespace=release.namespace)
    release.wait_for_deployment(timeout_sec=120)
    assert release.get_keys() == tuple(OWN_KEYS.values())
    assert release.run("1") == "1"


def test_values_over_the_cap_install_nothing(helm: Helm, release: Service, chart: Path) -> None:
    values = {"deployment": {"num_replicas": 2}, "cluster": {"gpu_count": 1}}
    with pytest.raises(GpuInferenceError, match="num_replicas"):
        helm.upgrade("echo", chart, values, namespace=release.namespace)
    assert left_of_release(release) == []


def wait_for_keys(service: Service) -> tuple[str, str]:
    """Return the keys as soon as the Job has made them."""
    deadline = time.monotonic() + 120
    while True:
        try:
            return service.get_keys()
        except GpuInferenceError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
