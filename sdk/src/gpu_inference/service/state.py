"""Derives a service's state (one of v1's five) and the reason for it from Kubernetes objects.

Nothing here contacts the cluster; the objects are passed in.
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
# If pods have different faults, the service has the first of these states.
_BY_SEVERITY: tuple[State, ...] = ("Failed", "Unschedulable", "Unhealthy", "Transitioning")


@dataclass(frozen=True)
class ServiceState:
    """The state of a service and its reason."""

    state: State
    """Transitioning: a change is in progress. Healthy: every replica serves. Unhealthy: some or all do not.
    Unschedulable: no node has room for a pod. Failed: it will not recover by itself."""
    error: str | None = None
    """The reason; None if the service is healthy or no reason is known."""


@dataclass(frozen=True)
class ServiceObjects:
    """The Kubernetes objects of one service, as the API server sends them."""

    deployment: Object
    replica_sets: list[Object]
    """ReplicaSets of the Deployment."""
    pods: list[Object]
    """Pods of the Deployment and of the Job that creates the keys."""
    jobs: list[Object]
    warnings: list[Object]
    """Warning events of these objects, newest last."""
    log_tail: Callable[[Object], str]
    """Returns the last log lines of a terminated container of a pod."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def service_state(observed: ServiceObjects) -> ServiceState:
    """Return the service's state and the reason for it."""
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
    # Pods come first: among faults of equal severity, theirs is the closest to the cause.
    faults = [*_faults_of_pods(observed), *_faults_of_controllers(observed)]
    worst = min(faults, key=lambda fault: _BY_SEVERITY.index(fault.state), default=None)
    stalled = _condition(deployment, "Progressing", "False")
    if stalled and (worst is None or worst.state not in ("Failed", "Unschedulable")):
        reason = f" {worst.reason}" if worst else ""
        return ServiceState("Failed", f"The rollout makes no progress: {stalled}{reason}")
    if worst:
        serving = f" {available} of {wanted} replicas serve." if available else ""
        return ServiceState(worst.state, worst.reason + serving)
    if not complete or not _is_rollout_complete(deployment) or _any_pod_starts(observed):
        return ServiceState("Transitioning")
    return ServiceState("Unhealthy", f"{available} of {wanted} replicas are ready.")


def _faults_of_controllers(observed: ServiceObjects) -> list[Fault]:
    """Return faults of the Deployment and of the Job that creates the keys."""
    faults = []
    if failure := _condition(observed.deployment, "ReplicaFailure", "True"):
        faults.append(Fault("Failed", f"Kubernetes cannot create the pods: {failure}"))
    for job in observed.jobs:
        if failure := _condition(job, "Failed", "True"):
            name = job["metadata"]["name"]
            faults.append(Fault("Failed", f"The Job {name}, which creates the keys, failed: {failure}"))
    return faults


def _condition(owner: Object, kind: str, status: str) -> str | None:
    """Return the message of an object's condition of this type and status, or None."""
    for condition in owner.get("status", {}).get("conditions", []):
        if condition["type"] == kind and condition["status"] == status:
            return str(condition.get("message", kind)).rstrip(".") + "."
    return None


def _faults_of_pods(observed: ServiceObjects) -> list[Fault]:
    newest = _newest_template(observed)
    faults = []
    for pod in observed.pods:
        labels = pod["metadata"].get("labels", {})
        outdated = labels.get(_TEMPLATE_HASH, newest) != newest
        terminating = "deletionTimestamp" in pod["metadata"]
        if outdated or terminating or pod.get("status", {}).get("phase") == "Succeeded":
            continue
        fault = pod_fault(pod, observed.warnings, observed.log_tail, observed.now)
        if fault is not None:
            faults.append(fault)
    return faults


def _newest_template(observed: ServiceObjects) -> str | None:
    revision = observed.deployment["metadata"].get("annotations", {}).get(_REVISION)
    for replica_set in observed.replica_sets:
        if replica_set["metadata"].get("annotations", {}).get(_REVISION) == revision:
            return str(replica_set["metadata"]["labels"][_TEMPLATE_HASH])
    return None


def _is_rollout_complete(deployment: Object) -> bool:
    conditions = deployment.get("status", {}).get("conditions", [])
    return any(each.get("reason") == "NewReplicaSetAvailable" for each in conditions)


def _any_pod_starts(observed: ServiceObjects) -> bool:
    return any(is_starting(pod, observed.now) for pod in observed.pods)
