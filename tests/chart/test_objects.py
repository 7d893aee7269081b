"""What a render consists of: the exact objects, their pods' settings, times, resources and places."""

from typing import Any

import pytest
from tests.chart.rendering import render


def deployment(**parameters: Any) -> dict[str, Any]:
    """Return values with these parameters and a pool that is large enough for them."""
    return {"deployment": parameters, "cluster": {"gpu_count": 64}}


def test_a_bare_install_makes_exactly_these_objects() -> None:
    rendered = render()
    (job,) = (name for kind, name in rendered.names if kind == "Job")
    assert job.startswith("mnist-keys-")
    assert rendered.names == {
        ("Deployment", "mnist"),
        ("NetworkPolicy", "mnist"),
        ("Service", "mnist"),
        ("PodDisruptionBudget", "mnist"),
        ("ServiceAccount", "mnist"),
        ("Secret", "mnist-keys"),
        ("ServiceAccount", "mnist-keys"),
        ("Role", "mnist-keys"),
        ("RoleBinding", "mnist-keys"),
        ("Job", job),
        ("Pod", "mnist-test"),
    }


def test_a_bare_install_runs_one_pod_with_one_gpu() -> None:
    rendered = render()
    assert rendered.one("Deployment")["spec"]["replicas"] == 1
    assert rendered.container["resources"] == {
        "requests": {"cpu": "100m", "memory": "512Mi", "nvidia.com/gpu": "1"},
        "limits": {"nvidia.com/gpu": "1"},
    }


@pytest.mark.parametrize(
    ("replicas", "gpus", "pool", "strategy"),
    [
        (3, 1, 4, {"maxSurge": 1, "maxUnavailable": 0}),
        (4, 1, 4, {"maxSurge": 0, "maxUnavailable": 1}),
        (2, 2, 5, {"maxSurge": 0, "maxUnavailable": 1}),
        (2, 2, 6, {"maxSurge": 1, "maxUnavailable": 0}),
        (9, 0, 1, {"maxSurge": 1, "maxUnavailable": 0}),
    ],
)
def test_a_rollout_adds_a_pod_only_where_gpus_have_room(
    replicas: int, gpus: int, pool: int, strategy: dict[str, int]
) -> None:
    values = {"deployment": {"num_replicas": replicas, "gpu_cores": gpus}, "cluster": {"gpu_count": pool}}
    found = render(values).one("Deployment")["spec"]["strategy"]
    assert found == {"type": "RollingUpdate", "rollingUpdate": strategy}


@pytest.mark.parametrize(("cores", "quantity"), [(2, "2"), (0.1, "100m"), (1.5, "1500m"), (0.0005, "1m")])
def test_cpu_cores_are_exact_in_thousandths(cores: float, quantity: str) -> None:
    requests = render(deployment(cpu_cores=cores)).container["resources"]["requests"]
    assert requests["cpu"] == quantity


@pytest.mark.parametrize(
    ("gigabytes", "quantity"), [(4, "4Gi"), (0.5, "512Mi"), (1.25, "1280Mi"), (0.1, "107374183")]
)
def test_memory_is_exact_in_bytes(gigabytes: float, quantity: str) -> None:
    requests = render(deployment(memory_gb=gigabytes)).container["resources"]["requests"]
    assert str(requests["memory"]) == quantity


def test_limits_are_only_those_given() -> None:
    limits = render(deployment(cpu_cores_limit=2, memory_gb_limit=1, gpu_cores=2)).container["resources"][
        "limits"
    ]
    assert limits == {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "2"}


def test_a_pod_without_gpus_asks_for_none_and_tolerates_no_gpu_node() -> None:
    rendered = render(deployment(gpu_cores=0) | {"cluster": {"gpu_products": ["A100"]}})
    assert "limits" not in rendered.container["resources"]
    assert "nvidia.com/gpu" not in rendered.container["resources"]["requests"]
    assert not {"tolerations", "affinity", "nodeSelector"} & rendered.pod.keys()


def test_large_numbers_stay_whole() -> None:
    rendered = render(deployment(scoring_timeout_ms=2_000_000_000))
    assert rendered.env["SCORING_TIMEOUT_MS"] == "2000000000"
    assert rendered.pod["terminationGracePeriodSeconds"] == 2_000_026


def test_a_digest_replaces_the_tag() -> None:
    digest = "sha256:" + "a" * 64
    rendered = render({"image": {"repository": "team/digits", "tag": "1", "digest": digest}})
    assert rendered.container["image"] == f"team/digits@{digest}"
    assert render({"image": {"tag": "1"}}).container["image"] == "gpu-inference-runtime:1"


def test_tags_and_description_annotate_the_deployment_alone() -> None:
    rendered = render(
        deployment(tags={"b": "<2>", "a": "1"}, properties={"c": "3"}, description="Digits: 0 to 9é")
    )
    annotations = rendered.one("Deployment")["metadata"]["annotations"]
    assert annotations.pop("gpu-inference/max-replicas") == "1"
    assert annotations.pop("gpu-inference/gpu-count") == "64"
    assert annotations == {
        "gpu-inference/tags": '{"a":"1","b":"<2>"}',
        "gpu-inference/properties": '{"c":"3"}',
        "gpu-inference/description": "Digits: 0 to 9é",
    }
    assert "annotations" not in rendered.one("Deployment")["spec"]["template"]["metadata"]


def test_extra_variables_come_as_text_or_from_elsewhere() -> None:
    source = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    env = [{"name": "A", "value": "true"}, {"name": "NODE", "valueFrom": source}, {"name": "EMPTY"}]
    rendered = render({"extraEnv": env})
    assert [rendered.env[name] for name in ("A", "NODE", "EMPTY")] == ["true", source, ""]


def test_a_service_account_of_the_users_own_is_not_made() -> None:
    rendered = render({"serviceAccount": {"create": False, "name": "mine"}})
    assert rendered.pod["serviceAccountName"] == "mine"
    assert ("ServiceAccount", "mine") not in rendered.names
    assert render({"serviceAccount": {"create": False}}).pod["serviceAccountName"] == "default"


def test_the_service_listens_on_80_for_the_scoring_pods() -> None:
    service = render({"service": {"type": "LoadBalancer", "annotations": {"a": "b"}}}).one("Service")
    assert service["metadata"]["annotations"] == {"a": "b"}
    assert service["spec"] == {
        "type": "LoadBalancer",
        "selector": {
            "app.kubernetes.io/name": "gpu-inference",
            "app.kubernetes.io/instance": "mnist",
            "app.kubernetes.io/component": "scoring",
        },
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
    }
