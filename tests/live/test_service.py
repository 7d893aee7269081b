"""The life of one real service, in this order: deployed, scored, upgraded on a full pool, deleted.

Three replicas from the sample's own deployment configuration, on four GPUs that are not there.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mnist_data
import pytest
import requests
import sample_requests
from tests.live.conftest import NO_DRAIN
from tests.live.kubernetes_objects import left_of_release, objects_of_release, pods_of, read_deployment

from gpu_inference.cluster import Cluster
from gpu_inference.convert import convert
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.image import Model
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory
from gpu_inference.service import Service, deploy

SAMPLE = Path(mnist_data.__file__).parent
NAME = "aks-dnn-mnist"
DIGITS = 500
THREADS = 6


@pytest.fixture(scope="module")
def service(cluster: Cluster, namespace: str, model_folder: Path) -> Iterator[Service]:
    converted = convert(SAMPLE / "deploymentconfig.json", SAMPLE / "inferenceconfig.json", gpu_count=4)
    service = deploy(
        NAME,
        source_directory=SAMPLE / "src",
        entry_script="score.py",
        models=[Model("tf-dnn-mnist", model_folder)],
        values={**converted.values, **NO_DRAIN},
        namespace=namespace,
        cluster=cluster,
        framework="tensorflow-cpu",
        progress=Progress(),
    )
    service.wait_for_deployment(show_output=True, timeout_sec=300)
    yield service
    service.close()


@pytest.fixture(scope="module")
def digits() -> mnist_data.Digits:
    return mnist_data.load_test(mnist_data.DEFAULT_FOLDER)


@pytest.fixture
def body(digits: mnist_data.Digits) -> str:
    return sample_requests.request_body(digits.images[0].tolist())


def test_the_samples_deployment_configuration_becomes_three_healthy_replicas(service: Service) -> None:
    deployment = read_deployment(service)
    assert service.state == "Healthy"
    assert (deployment.spec.replicas, deployment.status.ready_replicas) == (3, 3)


def test_each_replica_holds_a_gpu_of_its_own_and_the_cpu_and_memory_it_asked_for(service: Service) -> None:
    for pod in pods_of(service):
        resources = pod.spec.containers[0].resources
        assert resources.limits["nvidia.com/gpu"] == "1"
        assert resources.requests["memory"] == "4Gi"
    template = read_deployment(service).spec.template.spec.containers[0]
    assert template.resources.requests["cpu"] == "2"


def test_real_digits_are_scored_right_from_several_threads(
    service: Service, digits: mnist_data.Digits
) -> None:
    def score(index: int) -> bool:
        [prediction] = service.run(sample_requests.request_body(digits.images[index].tolist()))
        return bool(prediction == digits.labels[index])

    service.run(sample_requests.request_body(digits.images[0].tolist()))
    with ThreadPoolExecutor(THREADS) as threads:
        right = sum(threads.map(score, range(DIGITS)))
    assert right >= 0.95 * DIGITS


def test_the_secondary_key_opens_the_service_too(service: Service, body: str) -> None:
    primary, secondary = service.get_keys()
    assert primary != secondary
    assert _status(service, body, f"Bearer {secondary}") == 200


def test_a_request_without_a_key_is_refused(service: Service, body: str) -> None:
    assert _status(service, body, None) == 401


def test_a_request_with_a_wrong_key_is_refused(service: Service, body: str) -> None:
    assert _status(service, body, "Bearer not-the-key-of-anything") == 401


def test_a_path_with_another_services_name_is_not_found(service: Service, body: str) -> None:
    uri = service.scoring_uri.replace(NAME, "other-service")
    response = requests.post(uri, body, headers=_bearer(service), timeout=30)
    assert response.status_code == 404
    assert "message" in response.json()


def test_a_body_that_is_not_json_is_the_scripts_failure_and_no_traceback_leaks(service: Service) -> None:
    response = requests.post(service.scoring_uri, "not JSON", headers=_bearer(service), timeout=30)
    assert response.status_code == 502
    assert "Traceback" not in response.text


def test_a_body_without_the_scripts_key_is_the_scripts_failure(service: Service) -> None:
    response = requests.post(service.scoring_uri, '{"digit": []}', headers=_bearer(service), timeout=30)
    assert response.status_code == 502


def test_a_body_of_the_wrong_shape_is_the_scripts_failure(service: Service) -> None:
    response = requests.post(service.scoring_uri, '{"data": [[1, 2]]}', headers=_bearer(service), timeout=30)
    assert response.status_code == 502


def test_a_body_that_is_not_utf8_is_the_clients_mistake(service: Service) -> None:
    response = requests.post(service.scoring_uri, b"\xff\xfe", headers=_bearer(service), timeout=30)
    assert response.status_code == 400
    assert "UTF-8" in response.json()["message"]


def test_an_upgrade_to_as_many_replicas_as_there_are_gpus_fills_the_pool(service: Service, body: str) -> None:
    keys = service.get_keys()
    _fill_the_pool(service)
    assert read_deployment(service).status.ready_replicas == 4
    assert service.get_keys() == keys
    assert _status(service, body, f"Bearer {keys[0]}") == 200


def test_more_replicas_than_gpus_are_refused_by_the_schema_and_nothing_changes(service: Service) -> None:
    _fill_the_pool(service)
    before = _fingerprint(service)
    with pytest.raises(GpuInferenceError, match=r"num_replicas.*\b4\b"):
        service.update({"deployment": {"num_replicas": 5}})
    assert _fingerprint(service) == before


def test_more_replicas_than_gpus_are_refused_by_the_template_without_the_schema(service: Service) -> None:
    _fill_the_pool(service)
    before = _fingerprint(service)
    helm = Helm(kubeconfig=service.kubeconfig)
    values = helm.values(NAME, namespace=service.namespace)
    values["deployment"]["num_replicas"] = 5
    with pytest.raises(GpuInferenceError, match=r"set deployment\.num_replicas to 4 or fewer"):
        helm.upgrade(
            NAME, chart_directory(), values, namespace=service.namespace, skip_schema_validation=True
        )
    assert _fingerprint(service) == before


def test_deleting_the_service_leaves_nothing_of_it_in_the_namespace(service: Service) -> None:
    assert objects_of_release(service)
    assert service.delete()
    assert left_of_release(service) == []
    assert service.delete() is False


def _fill_the_pool(service: Service) -> None:
    if read_deployment(service).spec.replicas != 4:
        service.update({"deployment": {"num_replicas": 4}})
    service.wait_for_deployment(timeout_sec=300)


def _fingerprint(service: Service) -> dict[str, Any]:
    """What must not change: the Deployment's specification and the release's revision."""
    deployment = read_deployment(service)
    release = Helm(kubeconfig=service.kubeconfig).release(NAME, namespace=service.namespace)
    assert release
    return {
        "generation": deployment.metadata.generation,
        "replicas": deployment.spec.replicas,
        "revision": release.revision,
    }


def _bearer(service: Service) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.get_keys()[0]}", "Content-Type": "application/json"}


def _status(service: Service, body: str, authorization: str | None) -> int:
    headers = {"Authorization": authorization} if authorization else {}
    response = requests.post(service.scoring_uri, body, headers=headers, timeout=30)
    if response.status_code != 200:
        json.loads(response.text)
    return response.status_code
