"""What nodes' GPUs are worth to a service. That a cluster is asked, and may refuse: see the live tests."""

from typing import Any

import pytest
from kubernetes import client

from gpu_inference.service.pool import Pool, count, shortage
from gpu_inference.values import load


def node(gpus: str, model: str = "A100", resource: str = "nvidia.com/gpu") -> client.V1Node:
    return client.V1Node(
        metadata=client.V1ObjectMeta(
            name="n", labels={"nvidia.com/gpu.product": model, "amd.com/m": "MI300X"}
        ),
        status=client.V1NodeStatus(allocatable={"cpu": "8", resource: gpus}),
    )


def values(replicas: int = 1, gpus: int = 1, **cluster: Any) -> Any:
    return load({"deployment": {"num_replicas": replicas, "gpu_cores": gpus}, "cluster": cluster})


def test_gpus_of_all_nodes_are_added_and_pods_counted_node_by_node() -> None:
    nodes = [
        node("4"),
        node("2"),
        node("0"),
        client.V1Node(metadata=client.V1ObjectMeta(), status=client.V1NodeStatus()),
    ]
    assert count(nodes, values(gpu_count=6)) == Pool(gpus=6, pods=6)
    assert count(nodes, values(gpus=3, gpu_count=6)) == Pool(gpus=6, pods=1)


def test_a_thousand_gpus_are_read_as_kubernetes_writes_them() -> None:
    assert count([node("1k")], values()).gpus == 1000


def test_only_nodes_with_the_models_count() -> None:
    nodes = [node("4"), node("8", "H100")]
    assert count(nodes, values(gpu_products=["H100", "L40"])).gpus == 8
    assert count(nodes, values(gpu_products=["L40"])).gpus == 0


def test_the_label_and_the_resource_are_the_vendors() -> None:
    nodes = [node("4"), node("8", resource="amd.com/gpu")]
    amd = values(gpu_resource="amd.com/gpu", gpu_product_label="amd.com/m", gpu_products=["MI300X"])
    assert count(nodes, amd).gpus == 8


def test_a_pool_that_is_large_enough_lacks_nothing() -> None:
    assert shortage(values(4, gpu_count=4), Pool(gpus=4, pods=4)) is None


def test_more_gpus_than_the_nodes_have_are_told_with_both_numbers() -> None:
    said = shortage(values(4, gpu_count=8, gpu_products=["A100"]), Pool(gpus=4, pods=4))
    assert said == (
        "cluster.gpu_count is 8, but the nodes of this cluster with the models A100 have 4 of nvidia.com/gpu."
    )


@pytest.mark.parametrize(("pods", "enough"), [(2, False), (3, True)])
def test_the_pod_that_a_rollout_adds_needs_room_as_well(pods: int, enough: bool) -> None:
    # Two pods of 2 GPUs, and 6 GPUs: a rollout adds a third.
    said = shortage(values(2, gpus=2, gpu_count=6), Pool(gpus=6, pods=pods))
    assert (said is None) == enough
    if said:
        assert "needs room for 3 pods with 2 of nvidia.com/gpu each" in said
