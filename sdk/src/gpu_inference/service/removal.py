"""Ends the pods of a service that is removed, without their own drain.

A drain lets clients move to another pod. When the service itself goes, there is none. So only requests that
are being scored are waited for, and those for a few seconds.
"""

import time

from gpu_inference.service.objects import Object, Objects

# Time from the deletion until a container that has not ended is killed, in seconds. This is also the grace
# period where no sleep goes before SIGTERM.
LONGEST_GRACE_SECONDS = 3
# Time between SIGTERM and SIGKILL that the kubelet gives however short the grace period is, in seconds.
_KUBELETS_MINIMUM_SECONDS = 2
# Longest time that the garbage collector may take to part an object from its owner, in seconds.
_ORPHANED_SECONDS = 10
_POLL_SECONDS = 0.1
_NEEDED = (("deployments", "apps"), ("replicasets", "apps"), ("pods", ""))


def end_pods(objects: Objects, release: str, grace: int) -> None:
    """Remove a release's Deployment and tell its pods to end within a few seconds; return at once then.

    What an interrupted call has left is removed too.

    The kubelet does not shorten the grace period of a pod that is ending already. So Deployment and
    ReplicaSets are removed before their pods, and apart from them: the garbage collector would use the pods'
    own grace period.

    A user who may not do this (it takes deletecollection on deployments, replicasets, and pods) changes
    nothing here; the pods then drain when the release is uninstalled.

    Args:
        objects: the release's namespace.
        release: whose pods.
        grace: their grace period, in seconds; see `grace_seconds`.

    Raises:
        GpuInferenceError: the cluster does not answer.
    """
    if not all(objects.may("deletecollection", kind, group=group) for kind, group in _NEEDED):
        return
    for kind in ("Deployment", "ReplicaSet"):
        objects.orphan(kind, release)
        deadline = time.monotonic() + _ORPHANED_SECONDS
        while kind in objects.workloads(release) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    objects.delete_pods(release, grace)


def grace_seconds(deployment: Object) -> int:
    """Return the grace period, in seconds, after which the pods of a Deployment are killed in 3 s."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    # A sleep before SIGTERM is cut off when the grace period is over; the kubelet then adds its minimum.
    rest = LONGEST_GRACE_SECONDS - _KUBELETS_MINIMUM_SECONDS
    return rest if max(map(_sleep_seconds, containers)) >= rest else LONGEST_GRACE_SECONDS


def _sleep_seconds(container: Object) -> int:
    sleep: int = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    return sleep
