"""Tells what is wrong with one pod, in a sentence that a person who knows little of Kubernetes can act on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gpu_inference.service.objects import Object

# Meanwhile another object may still supply what the pod waits for: the Job that makes the keys, or the user.
_GRACE_SECONDS = 60
# Restarts after which a container is taken to end every time.
_HOPELESS_RESTARTS = 3
# docs/interfaces.md: the script or its init() failed, or a model cannot be fetched.
_INIT_FAILED = 3
_KEY_NOT_MADE_YET = "references non-existent secret key"
_TRACEBACK = "Traceback (most recent call last)"
_LOG_LINES = 15


@dataclass(frozen=True)
class Fault:
    """What keeps a pod from serving."""

    state: Literal["Transitioning", "Unhealthy", "Unschedulable", "Failed"]
    """What the service is because of it; Transitioning while it may still go away by itself."""
    reason: str


def pod_fault(
    pod: Object, warnings: list[Object], log_tail: Callable[[Object], str], now: datetime
) -> Fault | None:
    """Return what is wrong with a pod, or None while it serves or simply starts.

    Args:
        pod: as the API server sends it.
        warnings: Warning events, the newest last; those about other objects are ignored.
        log_tail: gives the last lines that an ended container of the pod wrote.
        now: the time.
    """
    status = pod.get("status", {})
    name = pod["metadata"]["name"]
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return Fault("Unschedulable", f"Pod {name} fits on no node: {_scheduler_says(condition)}")
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
    # Every container needs all volumes of the pod: once one has run, what failed at first has been made good.
    ran = any(_has_run(container) for container in [*status.get("initContainerStatuses", []), *containers])
    if mount and not ran:
        state = _later_failed(pod, now)
        # Every new service waits a moment for the Job that makes its keys: nothing to tell people about.
        expected = state == "Transitioning" and _KEY_NOT_MADE_YET in mount
        return None if expected else Fault(state, f"Pod {name} cannot start: {mount}")
    unready = _newest(warnings, name, "Unhealthy")
    ready = all(container.get("ready") for container in containers)
    if unready and not ready and not is_starting(pod, now):
        return Fault("Unhealthy", f"Pod {name} is not ready: {unready}")
    return None


def _has_run(container: Object) -> bool:
    return bool(container.get("restartCount")) or "waiting" not in container.get("state", {"waiting": {}})


def is_starting(pod: Object, now: datetime) -> bool:
    """Return whether a container of the pod has not started, or only just, so that it need not be ready."""
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
            f"The image {_image_meant(pod, container, message)} of pod {name} cannot be pulled: {message}",
        )
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return Fault(_later_failed(pod, now), f"Pod {name} cannot start: {message}")
    return None


def _image_meant(pod: Object, container: Object, message: str) -> str:
    """Return the image that cannot be pulled: Kubernetes says it of the container, also for a volume."""
    volumes = [volume["image"]["reference"] for volume in pod["spec"].get("volumes", []) if "image" in volume]
    return str(next((image for image in volumes if image in message), container["image"]))


def _init_container_fault(pod: Object, container: Object) -> Fault | None:
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended or ended.get("reason") == "Completed":
        return None
    code, restarts = ended.get("exitCode"), container.get("restartCount", 0)
    # Kubernetes keeps the end of the log there, for containers that ask for it.
    said = [line for line in ended.get("message", "").splitlines() if line.strip()]
    why = f" {said[-1]}" if said else ""
    return Fault(
        "Failed" if code == _INIT_FAILED or restarts >= _HOPELESS_RESTARTS else "Unhealthy",
        f"The init container {container['name']} of pod {pod['metadata']['name']} ended with exit code {code}"
        f"{f', {restarts} times so far' if restarts > 1 else ''}.{why}",
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
    if code == _INIT_FAILED:
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
        "Failed" if restarts >= _HOPELESS_RESTARTS else "Unhealthy",
        f"The container of pod {name} {why}{times}.",
    )


def last_traceback(log: str) -> str:
    """Return the last Python traceback in a log, cut to its last lines; without one, the log's last lines."""
    lines = [line for line in log.splitlines() if line.strip()]
    start = max((number for number, line in enumerate(lines) if _TRACEBACK in line), default=None)
    if start is None:
        return "\n".join(lines[-_LOG_LINES:])
    end = next(
        (number for number in range(start + 1, len(lines)) if not lines[number].startswith((" ", "\t"))),
        len(lines) - 1,
    )
    return "\n".join(lines[start : end + 1][-_LOG_LINES:])


def _scheduler_says(condition: Object) -> str:
    # What follows is about preemption, which says nothing more.
    message: str = condition.get("message", "").partition(" preemption:")[0]
    return message.rstrip(".") + "."


def _later_failed(pod: Object, now: datetime) -> Literal["Transitioning", "Failed"]:
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
