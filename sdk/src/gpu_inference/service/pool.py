"""Compares the GPUs that a service asks for with those that a cluster's nodes have.

What the service asks for is read from its rendered Deployment. The chart compares too, with
`cluster.check_nodes`, but Helm aborts where the user may not list nodes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.utils.quantity import parse_quantity

from gpu_inference.cluster.api import TIMEOUT_SECONDS, connect, sentences
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress
from gpu_inference.value_files import merged

_FORBIDDEN = 403


@dataclass(frozen=True)
class Demand:
    """What a rendered Deployment asks of the nodes; its pods need GPUs of a device plugin."""

    gpu_count: int
    """GPUs that all pods of the service together may use."""
    gpu_resource: str
    """Kubernetes resource that one GPU is."""
    gpus_per_pod: int
    pods: int
    """Pods that may run at the same time: the largest number of replicas, and what a rollout adds."""
    node_labels: tuple[tuple[Mapping[str, Any], ...], ...]
    """Alternatives, of which a node must fulfil one: requirements on its labels, as in a node affinity."""


@dataclass(frozen=True)
class Pool:
    """What the nodes that a service may use have, whoever uses it now."""

    gpus: int
    pods: int
    """How many of the service's pods fit, each of which gets all its GPUs from one node."""


def demand(manifests: str) -> Demand | None:
    """Return what the service of a render asks of the nodes.

    Returns:
        None where its pods ask for no GPUs, or for those of a DRA driver, which nodes do not count.
    """
    objects = (each for each in yaml.load_all(manifests, yaml.CSafeLoader) if each)
    (deployment,) = (
        each
        for each in objects
        if each["kind"] == "Deployment"
        and (each["metadata"].get("labels") or {}).get("app.kubernetes.io/component") == "scoring"
    )
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    (container,) = (each for each in pod["containers"] if each["name"] == "scoring")
    # Of the resources, GPUs alone are extended ones, whose names have a domain.
    gpus = {
        name: int(number) for name, number in container["resources"].get("limits", {}).items() if "/" in name
    }
    if not gpus:
        return None
    ((resource, per_pod),) = gpus.items()
    annotations = deployment["metadata"]["annotations"]
    return Demand(
        gpu_count=int(annotations["gpu-inference/gpu-count"]),
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


def look(kubeconfig: Path, context: str | None, wanted: Demand) -> Pool | None:
    """Return what the cluster's nodes have; None if this user may not list them.

    Raises:
        GpuInferenceError: the cluster does not answer.
    """
    with sentences(f"The cluster of {kubeconfig}"):
        try:
            listed = client.CoreV1Api(connect(kubeconfig, context)).list_node(
                _request_timeout=TIMEOUT_SECONDS
            )
        except client.ApiException as error:
            if error.status == _FORBIDDEN:
                return None
            raise
    return count(listed.items, wanted)


def count(nodes: Sequence[Any], wanted: Demand) -> Pool:
    """Return what those of the nodes have that the service's pods may run on."""
    gpus = [
        int(parse_quantity((node.status.allocatable or {}).get(wanted.gpu_resource, "0")))
        for node in nodes
        if any(_fulfils(node.metadata.labels or {}, term) for term in wanted.node_labels)
    ]
    return Pool(sum(gpus), sum(of_node // wanted.gpus_per_pod for of_node in gpus))


def _fulfils(labels: Mapping[str, str], term: Sequence[Mapping[str, Any]]) -> bool:
    return all(_has(labels, requirement) for requirement in term)


def _has(labels: Mapping[str, str], requirement: Mapping[str, Any]) -> bool:
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
    # The API server refuses any other operator, with a message of its own.
    return True


def shortage(wanted: Demand, pool: Pool) -> str | None:
    """Return what the pool lacks for a service with GPUs, in a sentence; None if it is large enough."""
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
    """Return which nodes count, in words; nothing where all do."""
    alternatives = [
        " and ".join(
            " ".join([each["key"], each["operator"], ", ".join(each.get("values", []))]).strip()
            for each in term
        )
        for term in wanted.node_labels
    ]
    return f" with the labels {' or '.join(alternatives)}" if all(alternatives) else ""


def with_nodes_looked_at(
    values: Mapping[str, Any],
    manifests: str,
    kubeconfig: Path,
    context: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Compare the nodes with what a release asks for; return the values that Helm can then deploy.

    Args:
        values: the release's values.
        manifests: what the chart makes of them.
        kubeconfig: the cluster.
        context: the kubeconfig's context; its current one unless given.
        progress: where to tell what was found.

    Raises:
        GpuInferenceError: the nodes lack GPUs, and `cluster.check_nodes` is true; else that is only told.
    """
    wanted = demand(manifests)
    if wanted is None:
        return dict(values)
    check = bool((values.get("cluster") or {}).get("check_nodes"))
    found = look(kubeconfig, context, wanted)
    if found is None and check:
        progress.say("! This user may not list nodes: whether they have the GPUs is not known.")
        # Helm would abort. The value changes nothing else of the release.
        return merged(values, {"cluster": {"check_nodes": False}})
    problem = shortage(wanted, found) if found else None
    if problem and check:
        raise GpuInferenceError(
            problem, "Ask for less, add nodes, or set cluster.check_nodes to false if they come on demand."
        )
    if problem:
        progress.say(f"! {problem} Pods that find no GPU wait for one.")
    return dict(values)
