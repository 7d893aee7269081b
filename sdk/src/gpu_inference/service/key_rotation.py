"""Changes one of a service's keys while the other works, without restarting anything.

The Secret is changed, the pods are touched so that the kubelet looks at it at once, and each pod is asked
until all go by the new key. Interrupted at any point, the pods follow by themselves, and the next rotation
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
from gpu_inference.service.keys import Key, KeysPlace, key_in, require_keys_place
from gpu_inference.service.objects import ConflictError, Object, Objects
from gpu_inference.service.port_forward import PortForward

# The Job's name too, so that either gives up what the other left behind when it was interrupted.
FIELD_MANAGER = "gpu-inference-keys"
# The chart says here which keys come from the release's values.
_FROM_VALUES = "gpu-inference/keys-from-values"
# Any change of a pod's annotations makes its kubelet look at the pod's Secrets at once.
_TOUCHED = "gpu-inference/keys-changed"
_LIMIT_SECONDS = 120.0
_POLL_SECONDS = 0.5
# The kubelet may hear of the touched pod before it hears of the changed Secret.
_TOUCH_SECONDS = 5.0
_TRIES = 5
# The server looks at the key before the size (docs/interfaces.md): who has the right one is told that this is
# too much. As the body never comes, run() could not be called in any case.
_TOO_MANY_BYTES = 2**50
_ANSWER_SECONDS = 10
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
    """Change one key, and return when every ready pod accepts it and no pod accepts the old one.

    Args:
        objects: the service's namespace.
        deployment: the service's Deployment.
        key: the one to change; the other is not touched.
        value: what it becomes.
        progress: where to say what is waited for.
        limit_seconds: longest time to wait for the pods, in seconds.

    Raises:
        GpuInferenceError: the key is not ours to change, or the cluster does not allow it (nothing is changed
            then); somebody else changed it at the same time; or some pods, now named, did not follow in time.
    """
    rotation = _Rotation(objects, deployment, key, value)
    rotation.require_permissions()
    rotation.change_the_secret()
    try:
        rotation.give_up_ownership()
        rotation.wait_for_pods(progress, limit_seconds)
    except KeyboardInterrupt:
        progress.say(
            f"The new {key} key is in the Secret already; the pods take it by themselves within about "
            "two minutes."
        )
        raise


class KeyProbe:
    """Reaches pods one by one through the API server: a Service would choose the pod by itself."""

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
        """Return whether the pod accepts the key; None when it does not answer."""
        if pod not in self._forwards:
            self._forwards[pod] = PortForward(
                self._objects.api, self._objects.namespace, lambda: pod, SCORING_PORT
            )
        return accepts(self._forwards[pod].address, key)


def accepts(address: str, key: str) -> bool | None:
    """Return whether the scoring server at `host:port` accepts a key; None when it does not answer."""
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
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
    def __init__(self, objects: Objects, deployment: Object, key: Key, value: str) -> None:
        self._objects = objects
        self._service = deployment["metadata"]["name"]
        self._release = deployment["metadata"]["labels"]["app.kubernetes.io/instance"]
        self._place: KeysPlace = require_keys_place(deployment)
        self._key = key
        self._new = value
        self._old = ""

    def require_permissions(self) -> None:
        """Refuse to begin what could not be ended."""
        refused = [
            f"{verb} {resource}"
            for verb, resource, name in (
                ("patch", "secrets", self._place.secret),
                ("list", "pods", ""),
                ("patch", "pods", ""),
                # A port forward is asked for by GET, and newer clusters want both.
                ("get", "pods/portforward", ""),
                ("create", "pods/portforward", ""),
            )
            if not self._objects.may(verb, resource, name)
        ]
        if refused:
            raise GpuInferenceError(
                f"Nothing is changed: the kubeconfig's user may not {', '.join(refused)} in namespace "
                f"{self._objects.namespace}, as changing a key takes.",
                "The ClusterRole `edit` allows all of it.",
            )

    def change_the_secret(self) -> None:
        """Put the new key where the old one is, unless somebody else does so at the same time."""
        name = self._place.name_of(self._key)
        seen: str | None = None
        for _ in range(_TRIES):
            secret = self._secret_of_ours()
            self._old = key_in(secret, name)
            if seen is not None and self._old != seen:
                raise self._changed_by_another()
            seen = self._old
            self._refuse_equal_keys(secret)
            if self._old == self._new:
                return
            try:
                data = {name: base64.b64encode(self._new.encode()).decode()}
                self._objects.patch_secret(secret, FIELD_MANAGER, data=data)
            except ConflictError:
                continue
            return
        raise self._never_at_rest()

    def give_up_ownership(self) -> None:
        """Leave the keys nobody's: Helm 4 could not replace fields of ours by keys given in values later."""
        for _ in range(_TRIES):
            secret = self._secret_of_ours()
            owners = secret["metadata"].get("managedFields", [])
            others = [owner for owner in owners if owner.get("manager") != FIELD_MANAGER]
            if len(others) == len(owners):
                return
            try:
                # A list with an empty entry is how the API server is told that there is no owner left.
                self._objects.patch_secret(secret, FIELD_MANAGER, metadata={"managedFields": others or [{}]})
            except ConflictError:
                continue
            return
        raise self._never_at_rest()

    def wait_for_pods(self, progress: Progress, limit_seconds: float) -> None:
        """Return when every ready pod goes by the new key, and no other pod goes by the old one."""
        deadline = time.monotonic() + limit_seconds
        self._touch(self._pods())
        touched = time.monotonic()
        said: list[str] = []
        with KeyProbe(self._objects) as probe:
            followed: set[str] = set()
            while True:
                waiting = {}
                for pod in self._pods():
                    uid = pod["metadata"]["uid"]
                    if uid in followed:
                        continue
                    reason = self._why_waiting(probe, pod)
                    if reason:
                        waiting[pod["metadata"]["name"]] = (pod, reason)
                    elif _is_ready(pod):
                        followed.add(uid)
                reasons = [f"{name} ({reason})" for name, (_, reason) in waiting.items()]
                if not reasons:
                    return
                if reasons != said:
                    progress.say(f"  waiting for {', '.join(reasons)}")
                    said = reasons
                if key_in(self._secret_of_ours(), self._place.name_of(self._key)) != self._new:
                    raise self._changed_by_another()
                if time.monotonic() >= deadline:
                    raise self._not_followed(reasons, limit_seconds)
                if time.monotonic() - touched >= _TOUCH_SECONDS:
                    self._touch([pod for pod, _ in waiting.values()])
                    touched = time.monotonic()
                time.sleep(_POLL_SECONDS)

    def _pods(self) -> list[Object]:
        pods = self._objects.pods(self._release, "scoring")
        return [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]

    def _touch(self, pods: list[Object]) -> None:
        now = datetime.now(UTC).isoformat()
        for pod in pods:
            # Of the pod alone: in the Deployment it would start a rollout.
            self._objects.annotate_pod(pod["metadata"]["name"], {_TOUCHED: now})

    def _why_waiting(self, probe: KeyProbe, pod: Object) -> str | None:
        """Return what keeps the rotation from ending with this pod as it is."""
        if pod["status"]["phase"] != "Running":
            return None
        name = pod["metadata"]["name"]
        if self._old not in ("", self._new) and probe.accepts(name, self._old):
            return "accepts the old key"
        if _is_ready(pod) and not (accepts := probe.accepts(name, self._new)):
            return "does not answer" if accepts is None else "does not accept the new key"
        return None

    def _secret_of_ours(self) -> Object:
        """Return the Secret, if its keys are the cluster's own and not given from elsewhere."""
        secret = self._objects.secret(self._place.secret)
        where = f"the Secret {self._place.secret} in namespace {self._objects.namespace}"
        if secret is None:
            raise GpuInferenceError(
                f"The keys of {self._service} cannot be changed: {where} does not exist.",
                "Make it again: helm upgrade of the release makes the chart's own; one of yours "
                "(keys.existingSecret) you make.",
            )
        labels = secret["metadata"].get("labels", {})
        ours = {"app.kubernetes.io/name": "gpu-inference", "app.kubernetes.io/instance": self._release}
        if not ours.items() <= labels.items():
            raise GpuInferenceError(
                f"The keys of {self._service} are your own, in {where} (keys.existingSecret).",
                f"Change {self._place.name_of(self._key)} there, or where that Secret comes from; the pods "
                "take it without a restart, within about two minutes.",
            )
        annotations = secret["metadata"].get("annotations", {})
        if self._place.name_of(self._key) in annotations.get(_FROM_VALUES, "").split(","):
            raise GpuInferenceError(
                f"The {self._key} key of {self._service} comes from its values (deployment.{self._key}_key): "
                "the next upgrade would bring it back.",
                f"Change it there, or leave deployment.{self._key}_key out to have one made.",
            )
        return secret

    def _refuse_equal_keys(self, secret: Object) -> None:
        other: Key = "secondary" if self._key == "primary" else "primary"
        if self._new == key_in(secret, self._place.name_of(other)):
            raise GpuInferenceError(
                f"The {self._key} key of {self._service} would be the same as its {other} key.",
                "Give another one: of two equal keys, none can be revoked while the other works.",
            )

    def _changed_by_another(self) -> GpuInferenceError:
        return GpuInferenceError(
            f"Somebody else changed the {self._key} key of {self._service} at the same time; theirs holds.",
            "See both keys with `gpu-inference keys show`; regenerate again if yours is still needed.",
        )

    def _never_at_rest(self) -> GpuInferenceError:
        return GpuInferenceError(
            f"The Secret {self._place.secret} in namespace {self._objects.namespace} was changed by others "
            f"each of the {_TRIES} times that this tried to change it.",
            "Try again; see who does: kubectl get secret --show-managed-fields --output yaml",
        )

    def _not_followed(self, reasons: list[str], limit_seconds: float) -> GpuInferenceError:
        return GpuInferenceError(
            f"The {self._key} key of {self._service} is changed, but after {limit_seconds:.0f} s not all "
            f"pods go by it: {', '.join(reasons)}.",
            f"Pods that are replaced do: kubectl delete pod --namespace {self._objects.namespace} NAME",
        )


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
