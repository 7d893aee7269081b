"""Services beside each other: two in one namespace, and one of the same name in another namespace."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client
from pytest_helm_charts.clusters import Cluster as HelmCluster
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import delete_together, lives, statuses
from tests.live.kubernetes_objects import api_client, left_of_release, objects_of_release, pods_of

from gpu_inference.helm import Helm
from gpu_inference.service import Service
from gpu_inference_testing.pytest_plugin import restricted_namespace

# The bare runtime: its built-in script echoes.
VALUES = {
    "deployment": {"gpu_cores": 0, "num_replicas": 1},
    **NO_DRAIN,
}
PATIENCE_SECONDS = 120


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(scope="module")
def services(
    namespace: str, kube_cluster: HelmCluster, kubeconfig: Path, chart: Path
) -> Iterator[dict[str, Service]]:
    """`first` and `second` in one namespace, and `elsewhere`: a release `first` in another."""
    with restricted_namespace(kube_cluster) as other:
        places = {
            "first": ("first", namespace),
            "second": ("second", namespace),
            "elsewhere": ("first", other),
        }
        found = {
            key: Service(name, namespace=where, kubeconfig=kubeconfig)
            for key, (name, where) in places.items()
        }
        for service in found.values():
            Helm(kubeconfig=kubeconfig).upgrade(service.name, chart, VALUES, namespace=service.namespace)
        for service in found.values():
            service.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
        yield found
        delete_together(list(found.values()))


def test_each_service_leads_to_its_own_pods_alone(services: dict[str, Service]) -> None:
    addresses = {key: _addresses_behind(service) for key, service in services.items()}
    assert addresses == {
        key: {pod.status.pod_ip for pod in pods_of(service)} for key, service in services.items()
    }
    assert all(len(behind) == 1 for behind in addresses.values())
    assert len(set.union(*addresses.values())) == len(services)


def test_the_keys_of_one_open_no_other(services: dict[str, Service]) -> None:
    keys = {key: service.get_keys() for key, service in services.items()}
    assert len({key for pair in keys.values() for key in pair}) == 2 * len(services)
    for owner, pair in keys.items():
        for key, service in services.items():
            expected = {200} if key == owner else {401}
            assert [statuses(service, each) for each in pair] == [expected, expected]


def test_a_rotation_in_one_changes_nothing_in_the_others(services: dict[str, Service]) -> None:
    before = {key: (service.get_keys(), lives(service)) for key, service in services.items()}
    services["first"].regen_key("primary")
    after = {key: (service.get_keys(), lives(service)) for key, service in services.items()}
    assert after["first"] != before["first"]
    assert {**after, "first": None} == {**before, "first": None}
    assert statuses(services["elsewhere"], after["elsewhere"][0][0]) == {200}


def test_an_upgrade_of_one_changes_nothing_in_the_others(services: dict[str, Service]) -> None:
    before = {key: (service.get_keys(), lives(service)) for key, service in services.items()}
    services["first"].update({"podAnnotations": {"example.com/changed": "yes"}})
    services["first"].wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    after = {key: (service.get_keys(), lives(service)) for key, service in services.items()}
    assert not after["first"][1].keys() & before["first"][1].keys()
    assert {**after, "first": None} == {**before, "first": None}


def test_removing_one_leaves_the_others_whole(services: dict[str, Service]) -> None:
    others = {key: service for key, service in services.items() if key != "first"}
    before = {
        key: (service.get_keys(), lives(service), objects_of_release(service))
        for key, service in others.items()
    }
    assert services["first"].delete()
    assert left_of_release(services["first"]) == []
    assert before == {
        key: (service.get_keys(), lives(service), objects_of_release(service))
        for key, service in others.items()
    }
    for service in others.values():
        assert service.run('"still here"') == '"still here"'


def _addresses_behind(service: Service) -> set[str]:
    slices = client.DiscoveryV1Api(api_client(service)).list_namespaced_endpoint_slice(
        service.namespace, label_selector=f"kubernetes.io/service-name={service.name}"
    )
    return {address for each in slices.items for endpoint in each.endpoints for address in endpoint.addresses}
