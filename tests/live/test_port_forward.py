"""A service is reached through the API server where no network leads to its pods."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from tests.live.conftest import NO_DRAIN

from gpu_inference.cluster import Cluster
from gpu_inference.progress import Progress
from gpu_inference.service import Service, deploy
from gpu_inference.service.client import ScoringClient
from gpu_inference.service.endpoint import forward_to_ready_pod
from gpu_inference.service.objects import Objects

NAME = "forwarded"


@pytest.fixture(scope="module")
def service(cluster: Cluster, namespace: str) -> Iterator[Service]:
    service = deploy(
        NAME,
        source_directory=Path(__file__).parent / "echo",
        entry_script="score.py",
        values={"deployment": {"gpu_cores": 0}, **NO_DRAIN},
        namespace=namespace,
        cluster=cluster,
        progress=Progress(),
    )
    service.wait_for_deployment(timeout_sec=120)
    yield service
    service.delete()


def test_requests_from_several_threads_and_large_ones_go_through_the_api_server(service: Service) -> None:
    objects = Objects(service.kubeconfig, service.context, service.namespace)
    forward = forward_to_ready_pod(objects, NAME)
    client = ScoringClient(f"http://{forward.address}/score", lambda: service.get_keys()[0])
    large = "x" * 5_000_000
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(client.run, map(str, range(40)))) == [str(number) for number in range(40)]
    assert client.run(large) == large
    forward.close()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{forward.address}/", timeout=5)
