"""Returns the last log lines of a pod's containers, also of containers that are restarting."""

from collections.abc import Callable
from typing import Any

ReadRun = Callable[[str, bool], str | None]
"""Takes a container's name and whether to read its previous run; returns None if there is no such log."""


def pod_log(pod: dict[str, Any], read: ReadRun, lines: int, *, init: bool = False) -> str:
    """Return the last log lines of each of a pod's containers.

    The log of a restarted container begins with its previous run: the current one may have written nothing.

    Args:
        pod: the pod, as the API server sends it.
        read: returns the log of one run of a container.
        lines: maximum number of lines per container.
        init: whether to read the init containers instead.
    """
    texts = []
    for container in _containers(pod, init):
        name = container["name"]
        restarted, begun = _was_restarted(container), _has_begun(container)
        text = ""
        if restarted and begun:
            text = (read(name, True) or "") + (read(name, False) or "")
        elif restarted or begun:
            text = _read_run(read, name, previous=restarted)
        texts += text.splitlines(keepends=True)[-lines:]
    return "".join(texts)


def ended_log(pod: dict[str, Any], read: ReadRun) -> str:
    """Return the log of each container's last terminated run, or of its current run if there is none."""
    texts = []
    for container in _containers(pod, init=False):
        # A terminated container that waits for its next start may already count as restarted.
        previous = _was_restarted(container) and "terminated" not in container.get("state", {})
        if previous or _has_begun(container):
            texts.append(_read_run(read, container["name"], previous=previous))
    return "".join(texts)


def _containers(pod: dict[str, Any], init: bool) -> list[dict[str, Any]]:
    kind = "initContainerStatuses" if init else "containerStatuses"
    found: list[dict[str, Any]] = pod["status"].get(kind, [])
    return found


def _was_restarted(container: dict[str, Any]) -> bool:
    return container["restartCount"] > 0 or "terminated" in container.get("lastState", {})


def _has_begun(container: dict[str, Any]) -> bool:
    return not container.get("state", {}).keys().isdisjoint(("running", "terminated"))


def _read_run(read: ReadRun, container: str, *, previous: bool) -> str:
    """Return the log of one run of a container, or of the other run if that one is empty or gone.

    The container may have restarted since its status was read, and the new run may have written nothing.
    """
    return read(container, previous) or read(container, not previous) or ""
