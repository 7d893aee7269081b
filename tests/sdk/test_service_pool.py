"""What nodes' GPUs are worth to a service. That a cluster is asked, and may refuse: see the live tests."""

import json
from typing import Any

import pytest
from kubernetes import client
from tests.chart.rendering import render

from gpu_inference.service.pool import Demand, Pool, demand, pool_of, shortage


def node(gpus: str, model: str = "A100", resource: str = "nvidia.com/gpu", **labels: str) -> client.V1Node:
    return client.V1Node(
        metadata=client.V1ObjectMeta(
            name="n", labels={"nvidia.com/gpu.product": model, "amd.com/m": "MI300X", **labels}
        ),
        status=client.V1NodeStatus(allocatable={"cpu": "8", resource: gpus}),
    )


def wanted(replicas: int = 1, gpus: int = 1, more: dict[str, Any] | None = None, **cluster: Any) -> Demand:
    """Return what the chart's own render of these values asks of the nodes."""
    values = {"deployment": {"num_replicas": replicas, "gpu_cores": gpus}, "cluster": cluster, **(more or {})}
    found = demand(manifests(values))
    assert found is not None
    return found


def manifests(values: dict[str, Any]) -> str:
    # JSON is YAML as well.
    return "\n---\n".join(json.dumps(each) for each in render(values, kubernetes="1.37").objects)


def test_gpus_of_all_nodes_are_added_and_pods_counted_node_by_node() -> None:
    nodes = [
        node("4"),
        node("2"),
        node("0"),
        client.V1Node(metadata=client.V1ObjectMeta(), status=client.V1NodeStatus()),
    ]
    assert pool_of(nodes, wanted(gpu_count=6)) == Pool(gpus=6, pods=6)
    assert pool_of(nodes, wanted(gpus=3, gpu_count=6)) == Pool(gpus=6, pods=1)


def test_a_thousand_gpus_are_read_as_kubernetes_writes_them() -> None:
    assert pool_of([node("1k")], wanted()).gpus == 1000


def test_only_nodes_with_the_models_count() -> None:
    nodes = [node("4"), node("8", "H100")]
    assert pool_of(nodes, wanted(gpu_products=["H100", "L40"])).gpus == 8
    assert pool_of(nodes, wanted(gpu_products=["L40"])).gpus == 0


def test_the_label_and_the_resource_are_the_vendors() -> None:
    nodes = [node("4"), node("8", resource="amd.com/gpu")]
    amd = wanted(gpu_resource="amd.com/gpu", gpu_product_label="amd.com/m", gpu_products=["MI300X"])
    assert pool_of(nodes, amd).gpus == 8


def test_only_nodes_that_the_node_selector_names_count() -> None:
    nodes = [node("4", zone="a"), node("8", zone="b")]
    assert pool_of(nodes, wanted(more={"nodeSelector": {"zone": "a"}})).gpus == 4


@pytest.mark.parametrize(
    ("operator", "values", "gpus"),
    [
        ("In", ["1", "2"], 3),
        ("NotIn", ["1"], 14),
        ("Exists", [], 7),
        ("DoesNotExist", [], 8),
        ("Gt", ["1"], 6),
        ("Lt", ["2"], 1),
    ],
)
def test_node_affinity_is_read_as_kubernetes_reads_it(operator: str, values: list[str], gpus: int) -> None:
    nodes = [node("1", rack="1"), node("2", rack="2"), node("4", rack="30"), node("8")]
    term = {"matchExpressions": [{"key": "rack", "operator": operator, "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    assert pool_of(nodes, wanted(more={"affinity": {"nodeAffinity": required}})).gpus == gpus


def test_one_of_several_terms_of_an_affinity_is_enough() -> None:
    nodes = [node("1", rack="1"), node("2", rack="2"), node("4", rack="3")]
    terms = [
        {"matchExpressions": [{"key": "rack", "operator": "In", "values": [rack]}]} for rack in ("1", "3")
    ]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert pool_of(nodes, wanted(more={"affinity": {"nodeAffinity": required}})).gpus == 5


def test_pods_without_gpus_and_with_claimed_ones_ask_nothing_of_the_nodes() -> None:
    assert demand(manifests({"deployment": {"gpu_cores": 0}})) is None
    assert demand(manifests({"cluster": {"resource_claim": {"enabled": True}}})) is None


def test_deployments_that_users_add_are_not_the_services() -> None:
    own = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "mine", "labels": {"app.kubernetes.io/component": "scoring"}},
        "spec": {
            "selector": {"matchLabels": {"app": "mine"}},
            "template": {
                "metadata": {"labels": {"app": "mine"}},
                "spec": {"containers": [{"name": "mine", "image": "mine:1"}]},
            },
        },
    }
    assert wanted(more={"extraObjects": [own]}) == wanted()


def test_the_autoscalers_maximum_counts() -> None:
    autoscaled = {"deployment": {"autoscale_enabled": True, "autoscale_max_replicas": 3}}
    found = demand(manifests({**autoscaled, "cluster": {"gpu_count": 4}}))
    assert found is not None
    assert (found.pods, found.gpu_count) == (4, 4)


def test_a_pool_that_is_large_enough_lacks_nothing() -> None:
    assert shortage(wanted(4, gpu_count=4), Pool(gpus=4, pods=4)) is None


def test_more_gpus_than_the_nodes_have_are_told_with_both_numbers() -> None:
    said = shortage(wanted(4, gpu_count=8, gpu_products=["A100"]), Pool(gpus=4, pods=4))
    assert said == (
        "cluster.gpu_count is 8, but the nodes of this cluster with the labels nvidia.com/gpu.product In A100"
        " have 4 of nvidia.com/gpu."
    )


@pytest.mark.parametrize(("pods", "enough"), [(2, False), (3, True)])
def test_the_pod_that_a_rollout_adds_needs_room_as_well(pods: int, enough: bool) -> None:
    # Two pods of 2 GPUs, and 6 GPUs: a rollout adds a third.
    said = shortage(wanted(2, gpus=2, gpu_count=6), Pool(gpus=6, pods=pods))
    assert (said is None) == enough
    if said:
        assert "needs room for 3 pods with 2 of nvidia.com/gpu each" in said
