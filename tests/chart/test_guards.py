"""What guards the GPUs in the cluster, as rendered; the live tests show what it does."""

from typing import Any

import pytest
from tests.chart.rendering import Rendered, notes, render


def guards(rendered: Rendered) -> set[tuple[str, str]]:
    kinds = ("ResourceQuota", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    return {(kind, name) for kind, name in rendered.names if kind in kinds}


def guarded(**cluster: Any) -> dict[str, Any]:
    return {"cluster": {"gpu_count": 4, **cluster}}


def test_no_guard_is_there_unless_asked_for() -> None:
    assert guards(render()) == set()


@pytest.mark.parametrize(
    ("cluster", "name", "counted"),
    [
        ({}, "gpu-inference-nvidia.com-gpu", "requests.nvidia.com/gpu"),
        (
            {"gpu_resource": "nvidia.com/mig-1g.5gb"},
            "gpu-inference-nvidia.com-mig-1g.5gb",
            "requests.nvidia.com/mig-1g.5gb",
        ),
        (
            {"resource_claim": {"enabled": True, "device_class_name": "gpu.example.com"}},
            "gpu-inference-gpu.example.com",
            "gpu.example.com.deviceclass.resource.k8s.io/devices",
        ),
    ],
)
def test_the_quota_counts_gpus_as_pods_ask_for_them(cluster: dict[str, Any], name: str, counted: str) -> None:
    rendered = render(guarded(quota={"gpus": 6}, **cluster), kubernetes="1.34")
    quota = rendered.one("ResourceQuota")
    assert quota["metadata"]["name"] == name
    assert quota["spec"] == {"hard": {counted: "6"}}


def test_two_releases_of_a_namespace_make_the_same_quota() -> None:
    values = guarded(quota={"gpus": 6})
    assert guards(render(values, release="one")) == guards(render(values, release="two"))


def test_the_admission_policy_is_for_this_deployment_alone() -> None:
    rendered = render(guarded(admission_policy=True), release="digits", namespace="vision")
    spec = rendered.one("ValidatingAdmissionPolicy")["spec"]
    assert spec["failurePolicy"] == "Fail"
    assert spec["matchConstraints"] == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "vision"}},
        "resourceRules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments", "deployments/scale"],
                "resourceNames": ["digits"],
            }
        ],
    }
    binding = rendered.one("ValidatingAdmissionPolicyBinding")
    assert binding["spec"] == {
        "policyName": rendered.one("ValidatingAdmissionPolicy")["metadata"]["name"],
        "validationActions": ["Deny"],
    }


@pytest.mark.parametrize(("pool", "gpus", "pods"), [(4, 1, 4), (5, 2, 2), (64, 8, 8)])
def test_the_admission_policy_admits_what_the_pool_can_hold(pool: int, gpus: int, pods: int) -> None:
    values = {
        "deployment": {"gpu_cores": gpus},
        "cluster": {"gpu_count": pool, "admission_policy": True},
    }
    (validation,) = render(values).one("ValidatingAdmissionPolicy")["spec"]["validations"]
    assert validation["expression"].startswith(f"variables.pods <= {pods} || ")
    assert (
        f"enough for {pods} pods (cluster.gpu_count {pool}, deployment.gpu_cores {gpus})"
        in (validation["message"])
    )


def test_policies_of_two_namespaces_have_different_names() -> None:
    values = guarded(admission_policy=True)
    one, other = (guards(render(values, namespace=name)) for name in ("vision", "speech"))
    assert not one & other
    # Names whose parts meet in another place differ too.
    assert not guards(render(values, namespace="a-b", release="ccc")) & guards(
        render(values, namespace="a", release="b-ccc")
    )


def test_pods_on_cpu_need_no_admission_policy() -> None:
    values = guarded(admission_policy=True) | {"deployment": {"gpu_cores": 0, "num_replicas": 9}}
    assert guards(render(values)) == set()


def test_the_notes_say_when_the_cap_is_reached_and_what_the_gpus_are() -> None:
    said = notes({"deployment": {"num_replicas": 2, "gpu_cores": 2}, "cluster": {"gpu_count": 5}})
    assert "2 pods are all that cluster.gpu_count 5 allows" in said
    assert "each with 2 of nvidia.com/gpu" in said
    assert "all that cluster.gpu_count" not in notes(guarded() | {"deployment": {"num_replicas": 3}})
    claimed = notes(guarded(resource_claim={"enabled": True}))
    assert claimed.count("of the DeviceClass gpu.nvidia.com") == 2


def test_nodes_are_not_looked_at_where_no_cluster_is_asked() -> None:
    assert render(guarded(check_nodes=True)).objects == render(guarded()).objects
