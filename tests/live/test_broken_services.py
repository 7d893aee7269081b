"""What people see when a service cannot work: the state, and the reason in a sentence."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.live.conftest import NO_DRAIN

from gpu_inference.cluster import Cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress
from gpu_inference.service import Service, deploy

DeployScript = Callable[[str], Service]
ON_CPU = {"deployment": {"gpu_cores": 0}, **NO_DRAIN}


@pytest.fixture
def deploy_script(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[DeployScript]:
    """Deploys a service whose entry script has this text; deletes it afterwards."""
    deployed = []

    def deploy_text(text: str) -> Service:
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "score.py").write_text(text)
        service = deploy(
            "broken",
            source_directory=tmp_path / "src",
            entry_script="score.py",
            values=ON_CPU,
            namespace=namespace,
            cluster=cluster,
            progress=Progress(),
        )
        deployed.append(service)
        return service

    yield deploy_text
    for service in deployed:
        service.delete()
        service.close()


def test_an_init_that_raises_fails_the_deployment_and_shows_its_traceback(
    deploy_script: DeployScript,
) -> None:
    script = "def init():\n    raise RuntimeError('no weights today')\n\n\ndef run(data):\n    return data\n"
    service = deploy_script(script)
    with pytest.raises(GpuInferenceError, match="current service state: Failed") as caught:
        service.wait_for_deployment(timeout_sec=120)
    assert "no weights today" in str(caught.value)
    assert "Traceback" in service.get_logs()


def test_a_model_that_the_script_misses_fails_the_deployment_and_is_named(
    deploy_script: DeployScript,
) -> None:
    script = (
        "from azureml.core.model import Model\n\n\n"
        "def init():\n    Model.get_model_path('not-registered')\n\n\n"
        "def run(data):\n    return data\n"
    )
    service = deploy_script(script)
    with pytest.raises(GpuInferenceError, match="Model not-registered not found"):
        service.wait_for_deployment(timeout_sec=120)


def test_a_script_without_run_is_refused_before_anything_is_deployed(
    deploy_script: DeployScript, kubeconfig: Path, namespace: str
) -> None:
    with pytest.raises(GpuInferenceError, match=r"run"):
        deploy_script("def init():\n    pass\n")
    assert not Service("broken", namespace=namespace, kubeconfig=kubeconfig).exists()


def test_a_service_whose_pods_fit_on_no_node_is_unschedulable_and_says_why(
    kubeconfig: Path, namespace: str
) -> None:
    values = {
        # No keys: the Job that makes them could not start.
        "deployment": {"num_replicas": 1, "gpu_cores": 1, "auth_enabled": False},
        "cluster": {"gpu_count": 1, "gpu_products": ["A-GPU-THAT-NO-NODE-HAS"]},
        **NO_DRAIN,
    }
    service = deploy(
        "broken",
        image="not-here:1",
        values=values,
        namespace=namespace,
        kubeconfig=kubeconfig,
        progress=Progress(),
    )
    try:
        with pytest.raises(GpuInferenceError, match="Couldn't Schedule") as caught:
            service.wait_for_deployment(timeout_sec=60, unschedulable_sec=3)
        assert "node" in str(caught.value)
        assert service.state == "Unschedulable"
    finally:
        service.delete()
        service.close()
