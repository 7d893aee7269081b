"""Explains what is wrong with a pod, in a sentence that requires little knowledge of Kubernetes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gpu_inference.service.objects import Object

# For this long the pod may wait for an object that the keys Job or the user has yet to create.
_GRACE_SECONDS = 60
# Restarts after which a service counts as failed.
_MAX_RESTARTS = 3
# Exit code of docs/interfaces.md: the script or its init() failed, or a model cannot be fetched.
_INIT_FAILED_CODE = 3
_KEYS_NOT_READY = "references non-existent secret key"
_TRACEBACK = "Traceback (most recent call last)"
_LOG_LINES = 15


@dataclass(frozen=True)
class Fault:
    """The reason why a pod does not serve."""

    state: Literal["Transitioning", "Unhealthy", "Unschedulable", "Failed"]
    """The resulting state of the service; Transitioning while the fault may still resolve itself."""
    reason: str


def pod_fault(
    pod: Object, warnings: list[Object], log_tail: Callable[[Object], str], now: datetime
) -> Fault | None:
    """Return what is wrong with a pod, or None while it serves or is starting normally.

    Args:
        pod: the pod, as the API server sends it.
        warnings: Warning events, newest last; events of other objects are ignored.
        log_tail: returns the last log lines of a terminated container of the pod.
        now: the current time.
    """
    status = pod.get("status", {})
    name = pod["metadata"]["name"]
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Fault("Unschedulable", f"Pod {name} fits on no node: {_scheduler_message(condition)}")
    for container in status.get("initContainerStatuses", []):
        fault = _waiting_fault(pod, container, now) or _init_container_fault(pod, container)
        if fault is not None and not container.get("ready"):
            return fault
    for container in status.get("containerStatuses", []):
        fault = _waiting_fault(pod, container, now) or _ended_fault(pod, container, log_tail, warnings)
        if fault is not None and not container.get("ready"):
            return fault
    containers = status.get("containerStatuses", [])
    mount = _newest(warnings, name, "FailedMount")
    # No container starts without all volumes of the pod: if one has run, the mount has succeeded since.
    ran = any(_has_run(container) for container in [*status.get("initContainerStatuses", []), *containers])
    if mount and not ran:
        state = _state_by_age(pod, now)
        # Every new service waits a moment for the Job that creates its keys; that is not a fault.
        expected = state == "Transitioning" and _KEYS_NOT_READY in mount
        return None if expected else Fault(state, f"Pod {name} cannot start: {mount}")
    unready = _newest(warnings, name, "Unhealthy")
    ready = all(container.get("ready") for container in containers)
    if unready and not ready and not is_starting(pod, now):
        return Fault("Unhealthy", f"Pod {name} is not ready: {unready}")
    return None


def _has_run(container: Object) -> bool:
    return bool(container.get("restartCount")) or "waiting" not in container.get("state", {"waiting": {}})


def is_starting(pod: Object, now: datetime) -> bool:
    """Return whether a container of the pod has not started or started only recently."""
    containers = pod.get("status", {}).get("containerStatuses", [])
    if not containers:
        return bool(pod.get("status", {}).get("phase") == "Pending")
    for container in containers:
        since = container.get("state", {}).get("running", {}).get("startedAt")
        if container.get("ready") or container.get("state", {}).get("terminated"):
            continue
        if not container.get("started") or since is None or _seconds_since(since, now) < _GRACE_SECONDS:
            return True
    return False


def _waiting_fault(pod: Object, container: Object, now: datetime) -> Fault | None:
    waiting = container.get("state", {}).get("waiting", {})
    reason = waiting.get("reason", "")
    name = pod["metadata"]["name"]
    message = waiting.get("message") or reason
    if reason in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"):
        tried_once = reason == "ErrImagePull"
        return Fault(
            "Transitioning" if tried_once else "Failed",
            f"The image {_failing_image(pod, container, message)} of pod {name} cannot be pulled: {message}",
        )
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return Fault(_state_by_age(pod, now), f"Pod {name} cannot start: {message}")
    return None


def _failing_image(pod: Object, container: Object, message: str) -> str:
    """Return the image that cannot be pulled: the container's, or that of an image volume in the message."""
    volumes = [volume["image"]["reference"] for volume in pod["spec"].get("volumes", []) if "image" in volume]
    return str(next((image for image in volumes if image in message), container["image"]))


def _init_container_fault(pod: Object, container: Object) -> Fault | None:
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended or ended.get("reason") == "Completed":
        return None
    code, restarts = ended.get("exitCode"), container.get("restartCount", 0)
    # The message has the end of the log, for containers with terminationMessagePolicy FallbackToLogsOnError.
    lines = [line for line in ended.get("message", "").splitlines() if line.strip()]
    last_line = f" {lines[-1]}" if lines else ""
    return Fault(
        "Failed" if code == _INIT_FAILED_CODE or restarts >= _MAX_RESTARTS else "Unhealthy",
        f"The init container {container['name']} of pod {pod['metadata']['name']} ended with exit code {code}"
        f"{f', {restarts} times so far' if restarts > 1 else ''}.{last_line}",
    )


def _ended_fault(
    pod: Object, container: Object, log_tail: Callable[[Object], str], warnings: list[Object]
) -> Fault | None:
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended or ended.get("reason") == "Completed":
        return None
    name = pod["metadata"]["name"]
    restarts = container.get("restartCount", 0)
    code = ended.get("exitCode")
    if code == _INIT_FAILED_CODE:
        return Fault(
            "Failed",
            f"The entry script could not be loaded or its init() raised (pod {name}):\n"
            f"{last_traceback(log_tail(pod))}\n",
        )
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod)
        why = (
            f"ran out of memory (limit {limit}) and was killed" if limit else "was killed for lack of memory"
        )
    else:
        probe = _newest(warnings, name, "Unhealthy")
        why = f"ended with exit code {code}" + (f" ({probe})" if probe and code == 137 else "")
    times = f", {restarts} times so far" if restarts > 1 else ""
    return Fault(
        "Failed" if restarts >= _MAX_RESTARTS else "Unhealthy",
        f"The container of pod {name} {why}{times}.",
    )


def last_traceback(log: str) -> str:
    """Return the last lines of the last Python traceback in a log, or of the log if it has no traceback."""
    lines = [line for line in log.splitlines() if line.strip()]
    start = max((number for number, line in enumerate(lines) if _TRACEBACK in line), default=None)
    if start is None:
        return "\n".join(lines[-_LOG_LINES:])
    end = next(
        (number for number in range(start + 1, len(lines)) if not lines[number].startswith((" ", "\t"))),
        len(lines) - 1,
    )
    return "\n".join(lines[start : end + 1][-_LOG_LINES:])


def _scheduler_message(condition: Object) -> str:
    # The rest of the message is about preemption and adds nothing.
    message: str = condition.get("message", "").partition(" preemption:")[0]
    return message.rstrip(".") + "."


def _state_by_age(pod: Object, now: datetime) -> Literal["Transitioning", "Failed"]:
    young = _seconds_since(pod["metadata"]["creationTimestamp"], now) < _GRACE_SECONDS
    return "Transitioning" if young else "Failed"


def _seconds_since(timestamp: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(timestamp)).total_seconds()


def _memory_limit(pod: Object) -> str | None:
    limits = pod["spec"]["containers"][0].get("resources", {}).get("limits", {})
    limit: str | None = limits.get("memory")
    return limit


def _newest(warnings: list[Object], pod: str, reason: str) -> str | None:
    about = [
        event["message"]
        for event in warnings
        if event["involvedObject"].get("name") == pod and event["reason"] == reason
    ]
    return about[-1].strip() if about else None
