"""Looks at the cluster itself, past the SDK: what the tests hold the SDK's words against."""

import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ApiException

from gpu_inference.service import Service


def api_client(service: Service) -> Any:
    return config.new_client_from_config(str(service.kubeconfig))


def dynamic_client(service: Service) -> DynamicClient:
    """Return a client that knows every kind of object that the service's cluster has now.

    Its cache is asked anew: it lies in /tmp, outlives a cluster, and the next one may have the same address.
    """
    dynamic = DynamicClient(api_client(service))
    dynamic.resources.invalidate_cache()
    return dynamic


def read_deployment(service: Service) -> Any:
    apps = client.AppsV1Api(api_client(service))
    return apps.read_namespaced_deployment(service.name, service.namespace)


def pods_of(service: Service) -> list[Any]:
    """Return the scoring pods that are not on their way out."""
    selector = f"app.kubernetes.io/instance={service.name},app.kubernetes.io/component=scoring"
    core = client.CoreV1Api(api_client(service))
    listed = core.list_namespaced_pod(service.namespace, label_selector=selector).items
    return [pod for pod in listed if pod.metadata.deletion_timestamp is None]


def service_as_a_limited_user(
    service: Service, user: str, rules: list[dict[str, Any]], folder: Path
) -> Service:
    """Return the service as somebody sees it who may do no more than these rules allow."""
    api, where = api_client(service), service.namespace
    core = client.CoreV1Api(api)
    roles = client.RbacAuthorizationV1Api(api)
    roles.create_namespaced_role(where, {"metadata": {"name": user}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": user, "namespace": where}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}
    roles.create_namespaced_role_binding(
        where, {"metadata": {"name": user}, "roleRef": role, "subjects": [subject]}
    )
    core.create_namespaced_service_account(where, {"metadata": {"name": user}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = core.create_namespaced_service_account_token(user, where, request).status.token
    kubeconfig = yaml.safe_load(service.kubeconfig.read_text())
    for each in kubeconfig["users"]:
        each["user"] = {"token": token}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    return Service(service.name, namespace=where, kubeconfig=path)


def left_of_release(service: Service) -> list[str]:
    """Return what `objects_of_release` does once the garbage collector has had a few seconds."""
    deadline = time.monotonic() + 10
    while (left := objects_of_release(service)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


def objects_of_release(service: Service) -> list[str]:
    """Return kind/name of every object in the namespace, of whatever kind, that the release has to do with.

    Found by label and by name, so that an object that lost its labels, or never had any, counts too.
    Events are left out: they tell of objects that are gone.
    """
    dynamic = dynamic_client(service)
    found = set()
    for resource in dynamic.resources.search():
        if (
            not resource.namespaced
            or "list" not in resource.verbs
            or resource.kind in ("Event", "PodMetrics")
        ):
            continue
        if resource.kind.endswith("List"):
            continue
        try:
            items = dynamic.get(resource, namespace=service.namespace).items
        except ApiException:
            continue
        for item in items:
            labels = dict(item.metadata.labels or {})
            if labels.get("app.kubernetes.io/instance") == service.name or service.name in item.metadata.name:
                found.add(f"{resource.kind}/{item.metadata.name}")
    return sorted(found)
