"""What tells simulated GPUs from real ones. That a cluster schedules by them is in the live tests."""

import pytest
from kubernetes import client

from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing import gpus

OURS = {"gpu-inference/simulated-gpus": "patch"}


def node(allocatable: dict[str, str], annotations: dict[str, str] | None = None) -> client.V1Node:
    labels = {"nvidia.com/gpu.product": "Tesla-T4"}
    return client.V1Node(
        metadata=client.V1ObjectMeta(name="gpu-1", annotations=annotations, labels=labels),
        status=client.V1NodeStatus(allocatable=allocatable),
    )


def test_real_gpus_are_refused_with_the_nodes_name() -> None:
    with pytest.raises(GpuInferenceError, match=r"'gpu-1' has 8 real nvidia\.com/gpu"):
        gpus.refuse_real_gpus(node({"cpu": "2", "nvidia.com/gpu": "8"}, {"other": "annotation"}))


@pytest.mark.parametrize(
    "free",
    [
        node({"cpu": "2"}),
        node({"cpu": "2", "nvidia.com/gpu": "0"}),
        node({"nvidia.com/gpu": "4"}, OURS),
    ],
    ids=["none", "a driver without GPUs", "simulated before"],
)
def test_node_without_real_gpus_is_accepted(free: client.V1Node) -> None:
    gpus.refuse_real_gpus(free)


def test_plugin_mode_is_refused_where_the_kubelet_is_out_of_reach() -> None:
    with pytest.raises(GpuInferenceError, match="only the embedded cluster gives access to"):
        gpus.refuse_plugin_mode("plugin")
    gpus.refuse_plugin_mode("patch")


@pytest.mark.parametrize(
    ("product", "memory"),
    [("NVIDIA-A100-SXM4-40GB", "40960"), ("Tesla-V100-SXM2-16GB", "16384"), ("Tesla-T4", None)],
)
def test_memory_label_is_what_the_products_name_tells(product: str, memory: str | None) -> None:
    assert gpus.labels(4, product) == {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.count": "4",
        "nvidia.com/gpu.memory": memory,
    }
