"""What a pod's containers wrote last, also while some of them are being tried again."""

from collections.abc import Callable
from typing import Any

# The log of a container's run, by the container's name: of its present one, or of the one before (True).
# None where there is no such run (any more).
ReadRun = Callable[[str, bool], str | None]


def pod_log(pod: dict[str, Any], read: ReadRun, lines: int, *, init: bool = False) -> str:
    """Return the last lines of each of a pod's containers.

    Of a container that was restarted the run before comes first: the present one may not have said anything.

    Args:
        pod: the pod, as Kubernetes describes it.
        read: gives the log of one run of a container.
        lines: how many of each container at most.
        init: its init containers instead.
    """
    texts = []
    for container in _containers(pod, init):
        name = container["name"]
        restarted, begun = _was_restarted(container), _has_begun(container)
        text = ""
        if restarted and begun:
            text = (read(name, True) or "") + (read(name, False) or "")
        elif restarted or begun:
            text = _one_of(read, name, previous=restarted)
        texts += text.splitlines(keepends=True)[-lines:]
    return "".join(texts)


def ended_log(pod: dict[str, Any], read: ReadRun) -> str:
    """Return what a pod's containers wrote in their runs that ended last, where one did, else so far."""
    texts = []
    for container in _containers(pod, init=False):
        # A container that has ended and waits for its next try may already count as restarted.
        previous = _was_restarted(container) and "terminated" not in container.get("state", {})
        if previous or _has_begun(container):
            texts.append(_one_of(read, container["name"], previous=previous))
    return "".join(texts)


def _containers(pod: dict[str, Any], init: bool) -> list[dict[str, Any]]:
    kind = "initContainerStatuses" if init else "containerStatuses"
    found: list[dict[str, Any]] = pod["status"].get(kind, [])
    return found


def _was_restarted(container: dict[str, Any]) -> bool:
    return container["restartCount"] > 0 or "terminated" in container.get("lastState", {})


def _has_begun(container: dict[str, Any]) -> bool:
    return not container.get("state", {}).keys().isdisjoint(("running", "terminated"))


def _one_of(read: ReadRun, container: str, *, previous: bool) -> str:
    """Return the log of one run of a container; of the other run, where it was replaced meanwhile.

    The run that took its place may be there already, and silent.
    """
    return read(container, previous) or read(container, not previous) or ""
