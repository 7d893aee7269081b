"""Compares the GPUs that a service requests with the GPUs of the cluster's nodes.

The requests are read from the rendered Deployment. The chart can make the same check
(`cluster.check_nodes`), but with it Helm aborts if the user may not list nodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from gpu_inference.cluster.api import TIMEOUT_SECONDS, api_errors, connect
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress
from gpu_inference.value_files import merged

_FORBIDDEN = 403
_GPU_COUNT = "gpu-inference/gpu-count"


@dataclass(frozen=True)
class Demand:
    """What a rendered Deployment requires of the nodes; its pods use GPUs of a device plugin."""

    gpu_count: int
    """GPUs that all pods of the service may use together."""
    gpu_resource: str
    """Resource name of a GPU, e.g. `nvidia.com/gpu`."""
    gpus_per_pod: int
    pods: int
    """Pods that may run at the same time: the maximum number of replicas plus the surge of a rollout."""
    node_labels: tuple[tuple[Mapping[str, Any], ...], ...]
    """Node selector terms as in a node affinity; a node must match one of them."""


@dataclass(frozen=True)
class Pool:
    """Capacity of the nodes that a service may use, including what is in use now."""

    gpus: int
    pods: int
    """How many of the service's pods fit; all GPUs of a pod are on one node."""


def demand(manifests: str) -> Demand | None:
    """Return what the service in rendered manifests requires of the nodes.

    Returns:
        None if its pods request no GPUs, or GPUs of a DRA driver, which are not among a node's resources.
    """
    objects = (each for each in yaml.load_all(manifests, yaml.CSafeLoader) if each)
    # Users may add Deployments of their own (extraObjects); only the chart may set this annotation.
    deployment = next(
        each for each in objects if _GPU_COUNT in ((each.get("metadata") or {}).get("annotations") or {})
    )
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    (container,) = (each for each in pod["containers"] if each["name"] == "scoring")
    # Of the resources that the chart sets, only GPUs are extended ones, whose names contain a domain.
    gpus = {
        name: int(number) for name, number in container["resources"].get("limits", {}).items() if "/" in name
    }
    if not gpus:
        return None
    ((resource, per_pod),) = gpus.items()
    annotations = deployment["metadata"]["annotations"]
    return Demand(
        gpu_count=int(annotations[_GPU_COUNT]),
        gpu_resource=resource,
        gpus_per_pod=per_pod,
        pods=int(annotations["gpu-inference/max-replicas"]) + spec["strategy"]["rollingUpdate"]["maxSurge"],
        node_labels=_node_labels(pod),
    )


def _node_labels(pod: Mapping[str, Any]) -> tuple[tuple[Mapping[str, Any], ...], ...]:
    selected = [
        {"key": key, "operator": "In", "values": [value]}
        for key, value in pod.get("nodeSelector", {}).items()
    ]
    affinity = pod.get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    return tuple(
        (*selected, *term.get("matchExpressions", [])) for term in required.get("nodeSelectorTerms", [{}])
    )


def read_pool(kubeconfig: Path, context: str | None, wanted: Demand) -> Pool | None:
    """Return the capacity of the cluster's nodes, or None if this user may not list them.

    Raises:
        GpuInferenceError: the cluster does not respond.
    """
    with api_errors(f"The cluster of {kubeconfig}"):
        try:
            listed = client.CoreV1Api(connect(kubeconfig, context)).list_node(
                _request_timeout=TIMEOUT_SECONDS
            )
        except client.ApiException as error:
            if error.status == _FORBIDDEN:
                return None
            raise
    return pool_of(listed.items, wanted)


def pool_of(nodes: Sequence[Any], wanted: Demand) -> Pool:
    """Return the capacity of those nodes that the service's pods may run on."""
    gpus = [
        int(parse_quantity((node.status.allocatable or {}).get(wanted.gpu_resource, "0")))
        for node in nodes
        if any(_matches_term(node.metadata.labels or {}, term) for term in wanted.node_labels)
    ]
    return Pool(sum(gpus), sum(of_node // wanted.gpus_per_pod for of_node in gpus))


def _matches_term(labels: Mapping[str, str], term: Sequence[Mapping[str, Any]]) -> bool:
    return all(_matches(labels, requirement) for requirement in term)


def _matches(labels: Mapping[str, str], requirement: Mapping[str, Any]) -> bool:
    value, given = labels.get(requirement["key"]), requirement.get("values", [])
    match requirement["operator"]:
        case "In":
            return value in given
        case "NotIn":
            return value not in given
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            try:
                difference = int(value or "") - int(given[0])
            except ValueError:
                return False
            return difference > 0 if operator == "Gt" else difference < 0
    # The API server rejects any other operator with its own message.
    return True


def shortage(wanted: Demand, pool: Pool) -> str | None:
    """Return a sentence about what the pool lacks, or None if it is large enough."""
    nodes = f"the nodes of this cluster{_with_labels(wanted)}"
    if wanted.gpu_count > pool.gpus:
        return (
            f"cluster.gpu_count is {wanted.gpu_count}, but {nodes} have {pool.gpus} of {wanted.gpu_resource}."
        )
    if wanted.pods > pool.pods:
        return (
            f"The service needs room for {wanted.pods} pods with {wanted.gpus_per_pod} of"
            f" {wanted.gpu_resource} each, but {nodes} have room for {pool.pods}."
        )
    return None


def _with_labels(wanted: Demand) -> str:
    """Return a phrase with the required labels, or an empty string if every node matches."""
    alternatives = [
        " and ".join(
            " ".join([each["key"], each["operator"], ", ".join(each.get("values", []))]).strip()
            for each in term
        )
        for term in wanted.node_labels
    ]
    return f" with the labels {' or '.join(alternatives)}" if all(alternatives) else ""


def check_nodes(
    values: Mapping[str, Any],
    manifests: str,
    kubeconfig: Path,
    context: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Compare a release with the GPUs of the nodes; return the values to deploy.

    Args:
        values: the release's values.
        manifests: the chart rendered with these values.
        kubeconfig: the cluster's kubeconfig.
        context: the kubeconfig's context. Default: its current one.
        progress: receives a warning if the nodes lack GPUs, or if the user may not list them.

    Raises:
        GpuInferenceError: the nodes lack GPUs and `cluster.check_nodes` is true.
    """
    wanted = demand(manifests)
    if wanted is None:
        return dict(values)
    check = bool((values.get("cluster") or {}).get("check_nodes"))
    found = read_pool(kubeconfig, context, wanted)
    if found is None and check:
        progress.say("! This user may not list nodes, so their GPUs were not checked.")
        # With check_nodes Helm would abort. The value affects nothing else in the release.
        return merged(values, {"cluster": {"check_nodes": False}})
    problem = shortage(wanted, found) if found else None
    if problem and check:
        raise GpuInferenceError(
            problem,
            "Ask for less, add nodes, or set cluster.check_nodes to false if nodes are added on demand.",
        )
    if problem:
        progress.say(f"! {problem} Pods stay pending until a GPU is free.")
    return dict(values)
