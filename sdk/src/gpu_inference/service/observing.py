"""Collects what `state.service_state` looks at, for one service or for all of a namespace at once."""

from collections.abc import Iterable, Sequence

from gpu_inference.service.objects import Object, Objects, release_of
from gpu_inference.service.pod_logs import ReadRun, ended_log
from gpu_inference.service.state import ServiceObjects

_TRACEBACK_LINES = 100


def observe(
    objects: Objects, deployments: Sequence[Object], release: str | None = None
) -> list[ServiceObjects]:
    """Return what belongs to each of these Deployments.

    Args:
        objects: the namespace of the Deployments.
        deployments: one for each service.
        release: the one release that all of them belong to; with it, no more than needed is read.

    Raises:
        GpuInferenceError: the cluster does not answer.
    """
    # Not those of another Deployment in the release, or of `helm test`.
    pods = objects.pods(release, "scoring", "keys")
    replica_sets, jobs = objects.replica_sets(release, "scoring"), objects.jobs(release, "keys")
    warnings = objects.warnings([each["metadata"]["name"] for each in (*pods, *replica_sets, *jobs)])

    def log_tail(pod: Object) -> str:
        return ended_log(pod, log_reader(objects, pod, _TRACEBACK_LINES))

    return [
        ServiceObjects(
            deployment=deployment,
            replica_sets=_of_same_release(deployment, replica_sets),
            pods=_of_same_release(deployment, pods),
            jobs=_of_same_release(deployment, jobs),
            warnings=warnings,
            log_tail=log_tail,
        )
        for deployment in deployments
    ]


def log_reader(objects: Objects, pod: Object, lines: int) -> ReadRun:
    """Return a function that reads the last lines of one of the pod's containers."""
    name = pod["metadata"]["name"]
    return lambda container, previous: objects.log(name, container=container, lines=lines, previous=previous)


def _of_same_release(deployment: Object, found: Iterable[Object]) -> list[Object]:
    return [each for each in found if release_of(each) == release_of(deployment)]
