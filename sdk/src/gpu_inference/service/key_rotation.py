"""Changes one of a service's two keys while the other keeps working, without a restart.

It patches the Secret, annotates the pods so that the kubelet updates their volumes at once, and polls each
pod until all use the new key. If it is interrupted, the pods still get the new key, and the next rotation
cleans up.
"""

import base64
import http.client
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress
from gpu_inference.service.endpoint import SCORING_PORT
from gpu_inference.service.keys import Key, KeySecret, key_in, require_key_secret
from gpu_inference.service.objects import ConflictError, Object, Objects
from gpu_inference.service.port_forward import PortForward

# The chart's Job has the same name, so that each can release the fields of an interrupted other.
FIELD_MANAGER = "gpu-inference-keys"
# The chart's annotation that lists the keys that come from the release's values.
_FROM_VALUES = "gpu-inference/keys-from-values"
# Any change of a pod's annotations makes the kubelet update the pod's Secrets at once.
_CHANGED_ANNOTATION = "gpu-inference/keys-changed"
_LIMIT_SECONDS = 120.0
_POLL_SECONDS = 0.5
# The kubelet may see the annotation before it sees the changed Secret, so pods are annotated repeatedly.
_ANNOTATE_SECONDS = 5.0
_ATTEMPTS = 5
# The server checks the key before the size (docs/interfaces.md): for a valid key it responds that the body is
# too large. The body is never sent, so run() is not called.
_TOO_MANY_BYTES = 2**50
_RESPONSE_SECONDS = 10
_UNAUTHORIZED = 401


def regenerate(
    objects: Objects,
    deployment: Object,
    key: Key,
    value: str,
    *,
    progress: Progress,
    limit_seconds: float = _LIMIT_SECONDS,
) -> None:
    """Change one key; return when every ready pod accepts it and no pod accepts the old one.

    Args:
        objects: the objects of the service's namespace.
        deployment: the service's Deployment.
        key: the key to change; the other one keeps its value.
        value: the new key.
        progress: receives the names of pods that do not use the new key yet.
        limit_seconds: longest time to wait for the pods, in seconds.

    Raises:
        GpuInferenceError: the key comes from values or from the user's own Secret, or the user lacks a
            permission (nothing is changed then); somebody else changed the key at the same time; or some
            pods, which the message names, do not use the new key in time.
    """
    rotation = _Rotation(objects, deployment, key, value)
    rotation.require_permissions()
    rotation.change_secret()
    try:
        rotation.release_ownership()
        rotation.wait_for_pods(progress, limit_seconds)
    except KeyboardInterrupt:
        progress.say(
            f"The Secret already contains the new {key} key; the pods will use it within about two minutes."
        )
        raise


class KeyProbe:
    """Connects to single pods through the API server; a Service would choose the pod itself."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._forwards: dict[str, PortForward] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for forward in self._forwards.values():
            forward.close()

    def accepts(self, pod: str, key: str) -> bool | None:
        """Return whether the pod accepts the key, or None if it does not respond."""
        if pod not in self._forwards:
            self._forwards[pod] = PortForward(
                self._objects.api, self._objects.namespace, lambda: pod, SCORING_PORT
            )
        return accepts(self._forwards[pod].address, key)


def accepts(address: str, key: str) -> bool | None:
    """Return whether the scoring server at `host:port` accepts a key, or None if it does not respond."""
    connection = http.client.HTTPConnection(address, timeout=_RESPONSE_SECONDS)
    try:
        connection.putrequest("POST", "/score")
        connection.putheader("Content-Length", str(_TOO_MANY_BYTES))
        connection.putheader("Authorization", f"Bearer {key}")
        connection.endheaders()
        return connection.getresponse().status != _UNAUTHORIZED
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class _Rotation:
    """One change of one key."""

    def __init__(self, objects: Objects, deployment: Object, key: Key, value: str) -> None:
        self._objects = objects
        self._service = deployment["metadata"]["name"]
        self._release = deployment["metadata"]["labels"]["app.kubernetes.io/instance"]
        self._place: KeySecret = require_key_secret(deployment)
        self._key = key
        self._new = value
        self._old = ""

    def require_permissions(self) -> None:
        """Raise an error unless the user may make every request that a rotation needs."""
        forbidden = [
            f"{verb} {resource}"
            for verb, resource, name in (
                ("patch", "secrets", self._place.secret),
                ("list", "pods", ""),
                ("patch", "pods", ""),
                # This client requests a port forward with GET; newer clusters check both verbs.
                ("get", "pods/portforward", ""),
                ("create", "pods/portforward", ""),
            )
            if not self._objects.may(verb, resource, name)
        ]
        if forbidden:
            raise GpuInferenceError(
                f"Nothing is changed: the kubeconfig's user may not {', '.join(forbidden)} in namespace "
                f"{self._objects.namespace}, which changing a key requires.",
                "The ClusterRole `edit` grants all of them.",
            )

    def change_secret(self) -> None:
        """Replace the old key in the Secret, unless another client changes it at the same time."""
        name = self._place.name_of(self._key)
        seen: str | None = None
        for _ in range(_ATTEMPTS):
            secret = self._chart_secret()
            self._old = key_in(secret, name)
            if seen is not None and self._old != seen:
                raise self._changed_by_another()
            seen = self._old
            self._require_distinct_keys(secret)
            if self._old == self._new:
                return
            try:
                data = {name: base64.b64encode(self._new.encode()).decode()}
                self._objects.patch_secret(secret, FIELD_MANAGER, data=data)
            except ConflictError:
                continue
            return
        raise self._too_many_conflicts()

    def release_ownership(self) -> None:
        """Remove our field ownership, which would keep Helm 4 from setting keys from values later."""
        for _ in range(_ATTEMPTS):
            secret = self._chart_secret()
            owners = secret["metadata"].get("managedFields", [])
            others = [owner for owner in owners if owner.get("manager") != FIELD_MANAGER]
            if len(others) == len(owners):
                return
            try:
                # A list with one empty entry tells the API server to remove all owners.
                self._objects.patch_secret(secret, FIELD_MANAGER, metadata={"managedFields": others or [{}]})
            except ConflictError:
                continue
            return
        raise self._too_many_conflicts()

    def wait_for_pods(self, progress: Progress, limit_seconds: float) -> None:
        """Return when every ready pod accepts the new key and no pod accepts the old one."""
        deadline = time.monotonic() + limit_seconds
        self._annotate(self._pods())
        annotated = time.monotonic()
        reported: list[str] = []
        with KeyProbe(self._objects) as probe:
            done: set[str] = set()
            while True:
                waiting = {}
                for pod in self._pods():
                    uid = pod["metadata"]["uid"]
                    if uid in done:
                        continue
                    reason = self._pending_reason(probe, pod)
                    if reason:
                        waiting[pod["metadata"]["name"]] = (pod, reason)
                    elif _is_ready(pod):
                        done.add(uid)
                reasons = [f"{name} ({reason})" for name, (_, reason) in waiting.items()]
                if not reasons:
                    return
                if reasons != reported:
                    progress.say(f"  waiting for {', '.join(reasons)}")
                    reported = reasons
                if key_in(self._chart_secret(), self._place.name_of(self._key)) != self._new:
                    raise self._changed_by_another()
                if time.monotonic() >= deadline:
                    raise self._timed_out(reasons, limit_seconds)
                if time.monotonic() - annotated >= _ANNOTATE_SECONDS:
                    self._annotate([pod for pod, _ in waiting.values()])
                    annotated = time.monotonic()
                time.sleep(_POLL_SECONDS)

    def _pods(self) -> list[Object]:
        pods = self._objects.pods(self._release, "scoring")
        return [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]

    def _annotate(self, pods: list[Object]) -> None:
        now = datetime.now(UTC).isoformat()
        for pod in pods:
            # On the pod only: an annotation in the Deployment's template would start a rollout.
            self._objects.annotate_pod(pod["metadata"]["name"], {_CHANGED_ANNOTATION: now})

    def _pending_reason(self, probe: KeyProbe, pod: Object) -> str | None:
        """Return why this pod does not use the new key yet, or None if it does or need not."""
        if pod["status"]["phase"] != "Running":
            return None
        name = pod["metadata"]["name"]
        if self._old not in ("", self._new) and probe.accepts(name, self._old):
            return "accepts the old key"
        if _is_ready(pod) and not (accepts := probe.accepts(name, self._new)):
            return "does not respond" if accepts is None else "does not accept the new key"
        return None

    def _chart_secret(self) -> Object:
        """Return the Secret; raise an error unless the chart created it and generated this key."""
        secret = self._objects.secret(self._place.secret)
        where = f"the Secret {self._place.secret} in namespace {self._objects.namespace}"
        if secret is None:
            raise GpuInferenceError(
                f"The keys of {self._service} cannot be changed: {where} does not exist.",
                "Create it again: `helm upgrade` creates the chart's own Secret; create a Secret of your own "
                "(keys.existingSecret) yourself.",
            )
        labels = secret["metadata"].get("labels", {})
        ours = {"app.kubernetes.io/name": "gpu-inference", "app.kubernetes.io/instance": self._release}
        if not ours.items() <= labels.items():
            raise GpuInferenceError(
                f"The keys of {self._service} are your own, in {where} (keys.existingSecret).",
                f"Change {self._place.name_of(self._key)} there, or at its source; the pods use the new key "
                "within about two minutes, without a restart.",
            )
        annotations = secret["metadata"].get("annotations", {})
        if self._place.name_of(self._key) in annotations.get(_FROM_VALUES, "").split(","):
            raise GpuInferenceError(
                f"The {self._key} key of {self._service} comes from its values (deployment.{self._key}_key): "
                "the next upgrade would restore it.",
                f"Change the value, or remove deployment.{self._key}_key to have a key generated.",
            )
        return secret

    def _require_distinct_keys(self, secret: Object) -> None:
        other: Key = "secondary" if self._key == "primary" else "primary"
        if self._new == key_in(secret, self._place.name_of(other)):
            raise GpuInferenceError(
                f"The {self._key} key of {self._service} would be the same as its {other} key.",
                "Choose another key: two equal keys cannot be revoked one at a time.",
            )

    def _changed_by_another(self) -> GpuInferenceError:
        return GpuInferenceError(
            f"Somebody else changed the {self._key} key of {self._service} at the same time; theirs is used.",
            "Show both keys with `gpu-inference keys show`; regenerate again if you still need a new one.",
        )

    def _too_many_conflicts(self) -> GpuInferenceError:
        return GpuInferenceError(
            f"The Secret {self._place.secret} in namespace {self._objects.namespace} was changed by other "
            f"clients during each of {_ATTEMPTS} attempts to change it.",
            "Try again, or find the clients: kubectl get secret --show-managed-fields --output yaml",
        )

    def _timed_out(self, reasons: list[str], limit_seconds: float) -> GpuInferenceError:
        return GpuInferenceError(
            f"The {self._key} key of {self._service} is changed, but after {limit_seconds:.0f} s some "
            f"pods do not use it: {', '.join(reasons)}.",
            f"Replace these pods: kubectl delete pod --namespace {self._objects.namespace} NAME",
        )


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
