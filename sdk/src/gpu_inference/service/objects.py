"""Reads a service's objects from the API server, as the plain JSON that it sends."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from kubernetes import client

from gpu_inference.cluster.api import TIMEOUT_SECONDS, api_errors, connect
from gpu_inference.errors import GpuInferenceError

Object = dict[str, Any]

_NAME_LABEL = "app.kubernetes.io/name=gpu-inference"
_INSTANCE_LABEL = "app.kubernetes.io/instance"
_COMPONENT_LABEL = "app.kubernetes.io/component"
_MERGE_PATCH = "application/merge-patch+json"
# What the kubelet answers, in place of a log, for a run that it has already cleared away.
_LOG_IS_GONE = "unable to retrieve container logs"


class ConflictError(GpuInferenceError):
    """Somebody else changed the object since it was read."""


class Objects:
    """The objects of services in one namespace.

    Each method raises GpuInferenceError when the cluster does not answer or refuses.
    """

    def __init__(self, kubeconfig: Path, context: str | None, namespace: str) -> None:
        self.api = connect(kubeconfig, context)
        self.namespace = namespace
        self._cluster = f"The cluster of {kubeconfig}"
        self._core = client.CoreV1Api(self.api)
        self._apps = client.AppsV1Api(self.api)
        self._batch = client.BatchV1Api(self.api)

    def deployment(self, service: str) -> Object | None:
        """Return the Deployment of a service, or None when there is none of ours."""
        found = self._items(
            self._apps.list_namespaced_deployment,
            field_selector=f"metadata.name={service}",
            label_selector=_of(None, "scoring"),
        )
        return found[0] if found else None

    def deployments(self) -> list[Object]:
        """Return the Deployments of all services in the namespace."""
        return self._items(self._apps.list_namespaced_deployment, label_selector=_of(None, "scoring"))

    def replica_sets(self, release: str | None, *components: str) -> list[Object]:
        """Return the ReplicaSets of a release (None: of all releases): of these components, or all."""
        return self._items(self._apps.list_namespaced_replica_set, label_selector=_of(release, *components))

    def pods(self, release: str | None, *components: str) -> list[Object]:
        """Return the pods of a release (None: of all releases): of these components, or all."""
        return self._items(self._core.list_namespaced_pod, label_selector=_of(release, *components))

    def jobs(self, release: str | None, *components: str) -> list[Object]:
        """Return the Jobs of a release (None: of all releases): of these components, or all."""
        return self._items(self._batch.list_namespaced_job, label_selector=_of(release, *components))

    def workloads(self, release: str) -> dict[str, list[str]]:
        """Return the names of what of a release runs or is yet to end, by kind; no kind without a name."""
        found = {
            "Deployment": self._items(self._apps.list_namespaced_deployment, label_selector=_of(release)),
            "ReplicaSet": self.replica_sets(release),
            "Job": self.jobs(release),
            "Pod": self.pods(release),
        }
        return {
            kind: [each["metadata"]["name"] for each in objects] for kind, objects in found.items() if objects
        }

    def warnings(self, names: Sequence[str]) -> list[Object]:
        """Return the Warning events about objects of these names, the newest last."""
        events = self._items(self._core.list_namespaced_event, field_selector="type=Warning")
        about = [event for event in events if event["involvedObject"].get("name") in names]
        return sorted(about, key=lambda event: event.get("lastTimestamp") or event["eventTime"] or "")

    def service(self, service: str) -> Object | None:
        """Return the Service object of a service."""
        found = self._items(self._core.list_namespaced_service, field_selector=f"metadata.name={service}")
        return found[0] if found else None

    def secret(self, name: str) -> Object | None:
        """Return a Secret; its data are base64."""
        found = self._items(self._core.list_namespaced_secret, field_selector=f"metadata.name={name}")
        return found[0] if found else None

    def patch_secret(self, secret: Object, manager: str, **change: Any) -> None:
        """Merge a change into a Secret, in the name of a field manager.

        Raises:
            ConflictError: it is no longer as it was read.
        """
        metadata = {**change.pop("metadata", {}), "resourceVersion": secret["metadata"]["resourceVersion"]}
        self._patch(
            self._core.patch_namespaced_secret,
            secret["metadata"]["name"],
            {"metadata": metadata, **change},
            field_manager=manager,
        )

    def account_token(self, namespace: str, name: str, audience: str) -> Object:
        """Have a token of a ServiceAccount made for an audience; return it with the time that it ends at."""
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        answer = self._read(
            self._core.create_namespaced_service_account_token,
            name,
            namespace,
            body={**wanted, "spec": {"audiences": [audience]}},
        )
        status: Object = json.loads(answer)["status"]
        return status

    def annotate_pod(self, pod: str, annotations: Mapping[str, str]) -> None:
        """Set annotations of a pod, if it is still there."""
        self._patch(self._core.patch_namespaced_pod, pod, {"metadata": {"annotations": dict(annotations)}})

    def orphan(self, kind: Literal["Deployment", "ReplicaSet"], release: str) -> None:
        """Delete the Deployments or the ReplicaSets of a release and keep what they own."""
        delete = {
            "Deployment": self._apps.delete_collection_namespaced_deployment,
            "ReplicaSet": self._apps.delete_collection_namespaced_replica_set,
        }
        self._read(delete[kind], self.namespace, label_selector=_of(release), propagation_policy="Orphan")

    def delete_pods(self, release: str, grace_seconds: int) -> None:
        """Delete the pods of a release, apart from its Job's: the Job would make them again.

        Args:
            release: whose pods.
            grace_seconds: time that a container has to end, in place of the pod's own, in seconds.
        """
        self._read(
            self._core.delete_collection_namespaced_pod,
            self.namespace,
            label_selector=f"{_of(release)},{_COMPONENT_LABEL}!=keys",
            grace_period_seconds=grace_seconds,
        )

    def delete_test_pods(self, release: str) -> None:
        """Delete the pods that `helm test` left: Helm keeps them, so that their logs can be read."""
        self._read(
            self._core.delete_collection_namespaced_pod, self.namespace, label_selector=_of(release, "test")
        )

    def may(self, verb: str, resource: str, name: str = "", *, group: str = "") -> bool:
        """Return whether the kubeconfig's user may do this in the namespace, e.g. `get pods/portforward`."""
        kind, _, subresource = resource.partition("/")
        asked = {"verb": verb, "resource": kind, "subresource": subresource, "name": name, "group": group}
        review = {"spec": {"resourceAttributes": {**asked, "namespace": self.namespace}}}
        answer = self._read(client.AuthorizationV1Api(self.api).create_self_subject_access_review, review)
        return bool(json.loads(answer)["status"]["allowed"])

    def node_addresses(self) -> list[str]:
        """Return the nodes' addresses, external ones first."""
        nodes = json.loads(self._read(self._core.list_node))["items"]
        addresses = [address for node in nodes for address in node["status"]["addresses"]]
        order = ["ExternalIP", "InternalIP"]
        known = [address for address in addresses if address["type"] in order]
        return [found["address"] for found in sorted(known, key=lambda found: order.index(found["type"]))]

    def log(self, pod: str, *, container: str, lines: int, previous: bool = False) -> str | None:
        """Return the last lines that a container wrote (`previous`: in the run before its last restart).

        None where there is no such run, or nothing left of it: containers come and go while one looks.
        """
        with api_errors(self._cluster):
            try:
                content = _content(
                    self._core.read_namespaced_pod_log,
                    pod,
                    self.namespace,
                    container=container,
                    tail_lines=lines,
                    previous=previous,
                )
            except client.ApiException as error:
                if error.status not in (400, 404):
                    raise
                return None
        text = content.decode(errors="replace")
        return None if text.startswith(_LOG_IS_GONE) else text

    def _items(self, read: Callable[..., Any], **selectors: str) -> list[Object]:
        items: list[Object] = json.loads(self._read(read, self.namespace, **selectors))["items"]
        return items

    def _patch(self, patch: Callable[..., Any], name: str, change: Object, **options: Any) -> None:
        with api_errors(self._cluster):
            try:
                patch(
                    name,
                    self.namespace,
                    change,
                    _content_type=_MERGE_PATCH,
                    _request_timeout=TIMEOUT_SECONDS,
                    **options,
                )
            except client.ApiException as error:
                if error.status == 409:
                    raise ConflictError(f"{name} was changed by somebody else at the same time.") from error
                if error.status != 404:
                    raise

    def _read(self, read: Callable[..., Any], *words: str | Object, **options: Any) -> bytes:
        with api_errors(self._cluster):
            return _content(read, *words, **options)


def release_of(thing: Object) -> str:
    """Return the release that an object of a service belongs to."""
    return str(thing["metadata"]["labels"][_INSTANCE_LABEL])


def _content(read: Callable[..., Any], *words: str | Object, **options: Any) -> bytes:
    """Return what the API server sends, as it is."""
    answer = read(*words, _preload_content=False, _request_timeout=TIMEOUT_SECONDS, **options)
    content: bytes = answer.data
    return content


def _of(release: str | None, *components: str) -> str:
    """Return the selector of a release's objects (None: of all releases), of these components or all."""
    labels = _NAME_LABEL if release is None else f"{_NAME_LABEL},{_INSTANCE_LABEL}={release}"
    return f"{labels},{_COMPONENT_LABEL} in ({','.join(components)})" if components else labels
