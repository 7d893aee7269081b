"""Tells from Kubernetes' objects how a service is, in v1's five words, and why, in a sentence.

Nothing here asks the cluster: what it says is passed in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from gpu_inference.service.objects import Object
from gpu_inference.service.pod_faults import Fault, is_starting, pod_fault

State = Literal["Transitioning", "Healthy", "Unhealthy", "Unschedulable", "Failed"]

_REVISION = "deployment.kubernetes.io/revision"
_TEMPLATE_HASH = "pod-template-hash"
# When pods have different faults, the first of these is the service's.
_GRAVEST_FIRST: tuple[State, ...] = ("Failed", "Unschedulable", "Unhealthy", "Transitioning")


@dataclass(frozen=True)
class ServiceState:
    """How a service is."""

    state: State
    """Transitioning: a change is under way. Healthy: every replica serves. Unhealthy: some or all do not.
    Unschedulable: no node has room for a pod. Failed: it will not become healthy by itself."""
    error: str | None = None
    """Why, unless it is healthy and where a reason is known."""


@dataclass(frozen=True)
class Observed:
    """The objects of a service at one moment, as the API server sends them, without its release's others."""

    deployment: Object
    replica_sets: list[Object]
    """Of the Deployment."""
    pods: list[Object]
    """Of the service and of the Job that makes its keys."""
    jobs: list[Object]
    warnings: list[Object]
    """Warning events about them, the newest last."""
    log_tail: Callable[[Object], str]
    """Gives the last lines that an ended container of a pod wrote."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def judge(observed: Observed) -> ServiceState:
    """Return how the service is."""
    deployment = observed.deployment
    status = deployment.get("status", {})
    wanted: int = deployment["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return ServiceState("Transitioning")
    available: int = status.get("availableReplicas", 0)
    complete = wanted == status.get("updatedReplicas", 0) == status.get("replicas", 0)
    if wanted and complete and wanted == available:
        return ServiceState("Healthy")
    if not wanted:
        return ServiceState("Unhealthy", "The service is scaled to 0 replicas.")
    # What a pod says is closest to the cause, so it comes first among equals.
    faults = [*_faults_of_pods(observed), *_faults_of_controllers(observed)]
    gravest = min(faults, key=lambda fault: _GRAVEST_FIRST.index(fault.state), default=None)
    stalled = _condition(deployment, "Progressing", "False")
    if stalled and (gravest is None or gravest.state not in ("Failed", "Unschedulable")):
        reason = f" {gravest.reason}" if gravest else ""
        return ServiceState("Failed", f"The rollout does not progress: {stalled}{reason}")
    if gravest:
        serving = f" {available} of {wanted} replicas serve." if available else ""
        return ServiceState(gravest.state, gravest.reason + serving)
    if not complete or not _rollout_is_over(deployment) or _any_pod_starts(observed):
        return ServiceState("Transitioning")
    return ServiceState("Unhealthy", f"{available} of {wanted} replicas are ready.")


def _faults_of_controllers(observed: Observed) -> list[Fault]:
    """Return what keeps pods from being made at all, or from getting their keys."""
    faults = []
    if refusal := _condition(observed.deployment, "ReplicaFailure", "True"):
        faults.append(Fault("Failed", f"Kubernetes refuses to make the pods: {refusal}"))
    for job in observed.jobs:
        if failure := _condition(job, "Failed", "True"):
            name = job["metadata"]["name"]
            faults.append(Fault("Failed", f"The Job {name}, which makes the keys, failed: {failure}"))
    return faults


def _condition(owner: Object, kind: str, status: str) -> str | None:
    """Return the message of an object's condition, if it has one of that kind and status."""
    for condition in owner.get("status", {}).get("conditions", []):
        if condition["type"] == kind and condition["status"] == status:
            return str(condition.get("message", kind)).rstrip(".") + "."
    return None


def _faults_of_pods(observed: Observed) -> list[Fault]:
    newest = _newest_template(observed)
    faults = []
    for pod in observed.pods:
        labels = pod["metadata"].get("labels", {})
        outdated = labels.get(_TEMPLATE_HASH, newest) != newest
        leaving = "deletionTimestamp" in pod["metadata"]
        if outdated or leaving or pod.get("status", {}).get("phase") == "Succeeded":
            continue
        fault = pod_fault(pod, observed.warnings, observed.log_tail, observed.now)
        if fault is not None:
            faults.append(fault)
    return faults


def _newest_template(observed: Observed) -> str | None:
    revision = observed.deployment["metadata"].get("annotations", {}).get(_REVISION)
    for replica_set in observed.replica_sets:
        if replica_set["metadata"].get("annotations", {}).get(_REVISION) == revision:
            return str(replica_set["metadata"]["labels"][_TEMPLATE_HASH])
    return None


def _rollout_is_over(deployment: Object) -> bool:
    conditions = deployment.get("status", {}).get("conditions", [])
    return any(each.get("reason") == "NewReplicaSetAvailable" for each in conditions)


def _any_pod_starts(observed: Observed) -> bool:
    return any(is_starting(pod, observed.now) for pod in observed.pods)
