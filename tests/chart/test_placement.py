"""Where pods go and what they find there: GPUs of any kind, their nodes, shared memory, DRA claims."""

from typing import Any

import pytest
from tests.chart.rendering import HELMS, HelmMajor, RefusedError, Rendered, render

PRODUCT = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["A100", "H100"]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
DRA = "1.34"


def toleration(key: str) -> dict[str, str]:
    return {"key": key, "operator": "Exists", "effect": "NoSchedule"}


def required_terms(rendered: Rendered) -> list[dict[str, Any]]:
    node_affinity = rendered.pod["affinity"]["nodeAffinity"]
    terms: list[dict[str, Any]] = node_affinity[REQUIRED]["nodeSelectorTerms"]
    return terms


@pytest.mark.parametrize(
    "resource", ["nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/i915", "google.com/tpu"]
)
def test_a_gpu_of_any_vendor_is_requested_and_its_taint_tolerated(resource: str) -> None:
    rendered = render({"cluster": {"gpu_resource": resource, "gpu_count": 2}, "deployment": {"gpu_cores": 2}})
    resources = rendered.container["resources"]
    assert resources["requests"][resource] == resources["limits"][resource] == "2"
    assert rendered.pod["tolerations"] == [toleration(resource)]


def test_a_mig_profile_is_requested_and_its_taints_tolerated() -> None:
    rendered = render({"cluster": {"gpu_resource": "nvidia.com/mig-1g.5gb"}})
    assert rendered.container["resources"]["limits"] == {"nvidia.com/mig-1g.5gb": "1"}
    assert rendered.pod["tolerations"] == [toleration("nvidia.com/mig-1g.5gb"), toleration("nvidia.com/gpu")]


def test_the_users_tolerations_are_added_once() -> None:
    own = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
    rendered = render({"tolerations": [own, toleration("nvidia.com/gpu")]})
    assert rendered.pod["tolerations"] == [own, toleration("nvidia.com/gpu")]


def test_the_toleration_for_gpus_can_be_switched_off() -> None:
    assert "tolerations" not in render({"cluster": {"gpu_toleration": False}}).pod


def test_gpu_products_are_required_of_a_node() -> None:
    assert required_terms(render({"cluster": {"gpu_products": ["A100", "H100"]}})) == [
        {"matchExpressions": [PRODUCT]}
    ]


def test_the_label_that_tells_the_product_is_the_vendors() -> None:
    values = {
        "gpu_resource": "amd.com/gpu",
        "gpu_product_label": "amd.com/gpu.product-name",
        "gpu_products": ["MI300X"],
    }
    (term,) = required_terms(render({"cluster": values}))
    assert term["matchExpressions"] == [
        {"key": "amd.com/gpu.product-name", "operator": "In", "values": ["MI300X"]}
    ]


def test_gpu_products_are_added_to_each_affinity_term() -> None:
    zone = {"key": "zone", "operator": "In", "values": ["a"]}
    named = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    anti: dict[str, Any] = {"preferredDuringSchedulingIgnoredDuringExecution": []}
    affinity = {
        "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [zone]}, named]}},
        "podAntiAffinity": anti,
    }
    rendered = render({"cluster": {"gpu_products": ["A100", "H100"]}, "affinity": affinity})
    assert required_terms(rendered) == [
        {"matchExpressions": [zone, PRODUCT]},
        {**named, "matchExpressions": [PRODUCT]},
    ]
    assert rendered.pod["affinity"]["podAntiAffinity"] == anti


def test_the_users_preferences_stay_beside_gpu_products() -> None:
    weighted = {"weight": 1, "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]}}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [weighted]}
    rendered = render(
        {"cluster": {"gpu_products": ["A100", "H100"]}, "affinity": {"nodeAffinity": preferred}}
    )
    assert rendered.pod["affinity"]["nodeAffinity"] == {
        **preferred,
        REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [PRODUCT]}]},
    }


@pytest.mark.parametrize("claimed", [False, True])
def test_pods_on_cpu_ask_for_and_tolerate_nothing_of_gpus(claimed: bool) -> None:
    cluster = {"gpu_products": ["A100"], "resource_claim": {"enabled": claimed}}
    rendered = render({"deployment": {"gpu_cores": 0}, "cluster": cluster})
    assert rendered.container["resources"] == {"requests": {"cpu": "100m", "memory": "512Mi"}}
    assert not {"tolerations", "affinity", "nodeSelector", "resourceClaims"} & rendered.pod.keys()
    assert "ResourceClaimTemplate" not in {kind for kind, _ in rendered.names}


@pytest.mark.parametrize("helm", HELMS)
def test_no_null_takes_the_gpu_limit_away(helm: HelmMajor) -> None:
    # A rival's `resources: null` drops it; here what makes the limit may be null, and the default holds.
    rendered = render({"deployment": {"gpu_cores": None, "memory_gb": None}, "cluster": None}, helm=helm)
    assert rendered.container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    with pytest.raises(RefusedError, match="resources"):
        render({"resources": {"limits": None}}, helm=helm)


def test_a_runtime_class_is_only_set_where_it_is_asked_for() -> None:
    assert "runtimeClassName" not in render().pod
    assert render({"runtimeClassName": "nvidia"}).pod["runtimeClassName"] == "nvidia"


def test_shared_memory_is_a_volume_counted_as_memory() -> None:
    rendered = render({"sharedMemory": {"sizeGb": 1.5}, "deployment": {"memory_gb": 2, "memory_gb_limit": 4}})
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in rendered.container["volumeMounts"]
    (volume,) = (volume for volume in rendered.pod["volumes"] if volume["name"] == "shared-memory")
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "1536Mi"}
    resources = rendered.container["resources"]
    assert resources["requests"]["memory"] == "3584Mi"
    assert resources["limits"]["memory"] == "5632Mi"


def test_shared_memory_brings_no_memory_limit_where_none_is_given() -> None:
    assert "memory" not in render({"sharedMemory": {"sizeGb": 1}}).container["resources"]["limits"]


@pytest.mark.parametrize("size", [0, 0.0])
def test_shared_memory_of_zero_is_the_runtimes_own(size: float) -> None:
    assert render({"sharedMemory": {"sizeGb": size}}).objects == render().objects


@pytest.mark.parametrize(("size", "complaint"), [("1Gi", "must be a number"), (-1, "greater than or equal")])
def test_an_odd_size_of_shared_memory_is_refused_without_the_schema(size: object, complaint: str) -> None:
    with pytest.raises(RefusedError, match=rf"sharedMemory\.sizeGb .*{complaint}"):
        render({"sharedMemory": {"sizeGb": size}}, skip_schema=True)


def claimed(**cluster: Any) -> dict[str, Any]:
    """Return values with two GPUs for each of two pods, from a DRA driver."""
    claim = {"enabled": True, **cluster.pop("resource_claim", {})}
    return {
        "deployment": {"num_replicas": 2, "gpu_cores": 2},
        "cluster": {"gpu_count": 4, "resource_claim": claim, **cluster},
    }


def test_a_claim_asks_for_as_many_devices_as_the_pod_has_gpus() -> None:
    rendered = render(claimed(), kubernetes=DRA)
    template = rendered.one("ResourceClaimTemplate")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request == {
        "name": "gpus",
        "exactly": {"deviceClassName": "gpu.nvidia.com", "allocationMode": "ExactCount", "count": 2},
    }
    assert rendered.pod["resourceClaims"] == [
        {"name": "gpus", "resourceClaimTemplateName": template["metadata"]["name"]}
    ]
    assert rendered.container["resources"] == {
        "requests": {"cpu": "100m", "memory": "512Mi"},
        "claims": [{"name": "gpus"}],
    }


def test_the_device_class_and_conditions_on_devices_are_the_users() -> None:
    condition = "device.attributes['gpu.example.com'].model == \"A100\""
    claim = {"device_class_name": "gpu.example.com", "selectors": [condition, "true"]}
    rendered = render(claimed(resource_claim=claim), kubernetes=DRA)
    (request,) = rendered.one("ResourceClaimTemplate")["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"]["deviceClassName"] == "gpu.example.com"
    assert request["exactly"]["selectors"] == [
        {"cel": {"expression": condition}},
        {"cel": {"expression": "true"}},
    ]


def test_a_changed_claim_is_another_template() -> None:
    def name(values: dict[str, Any]) -> str:
        return str(render(values, kubernetes=DRA).one("ResourceClaimTemplate")["metadata"]["name"])

    assert name(claimed()) == name(claimed())
    assert name(claimed()) != name(claimed(resource_claim={"selectors": ["true"]}))


def test_claims_before_kubernetes_1_34_are_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        render(claimed(), kubernetes="1.33")
    (mistake,) = refused.value.mistakes
    assert "since 1.34, but this is v1.33" in mistake


def test_the_cap_holds_for_claimed_gpus_too() -> None:
    values = claimed()
    values["deployment"]["num_replicas"] = 3
    with pytest.raises(RefusedError, match="num_replicas"):
        render(values, kubernetes=DRA)
    assert render(claimed(), kubernetes=DRA).one("Deployment")["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": 0,
        "maxUnavailable": 1,
    }
