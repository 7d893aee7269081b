"""A deployed service, with the names that `AksWebservice` of Azure ML SDK v1 had."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_inference.cluster import find_kubeconfig
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.progress import Progress, Silent
from gpu_inference.resources import chart_directory
from gpu_inference.service.client import ScoringClient
from gpu_inference.service.endpoint import address_in_cluster, forward_to_ready_pod, reachable_address
from gpu_inference.service.key_rotation import regenerate
from gpu_inference.service.keys import Key, key_secret, new_key, parse_key, read_keys, require_key
from gpu_inference.service.objects import Object, Objects, release_of
from gpu_inference.service.observing import log_reader, observe
from gpu_inference.service.pod_logs import pod_log
from gpu_inference.service.pool import check_nodes
from gpu_inference.service.port_forward import PortForward
from gpu_inference.service.removal import LONGEST_GRACE_SECONDS, end_pods, grace_seconds
from gpu_inference.service.state import ServiceState, State, service_state
from gpu_inference.service.tokens import AccessToken, new_token, token_check
from gpu_inference.service.waiting import wait_until_healthy
from gpu_inference.value_files import merged

_GONE_SECONDS = 120


class Service:
    """A service in a cluster.

    Args:
        name: the service's name.
        namespace: where it is.
        kubeconfig: the cluster; what `find_kubeconfig` finds unless given.
        context: the kubeconfig's context; its current one unless given.
        helm: the Helm to use; see `Helm`.

    Its members raise GpuInferenceError when there is no such service, or the cluster does not answer.
    """

    def __init__(
        self,
        name: str,
        *,
        namespace: str = "default",
        kubeconfig: Path | None = None,
        context: str | None = None,
        helm: Path | None = None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.kubeconfig = find_kubeconfig(kubeconfig, context)
        self.context = context
        self._helm_program = helm
        self._objects = Objects(self.kubeconfig, context, namespace)
        self._forward: PortForward | None = None
        self._clients: dict[Key, ScoringClient] = {}

    def exists(self) -> bool:
        """Return whether the service is there, or a release of its name that is not installed wholly."""
        if self._objects.deployment(self.name) is not None:
            return True
        return self._helm().release(self.name, namespace=self.namespace) is not None

    def status(self) -> ServiceState:
        """Return how the service is now, and why."""
        deployment = self._deployment()
        (observed,) = observe(self._objects, [deployment], release_of(deployment))
        return service_state(observed)

    @property
    def state(self) -> State:
        """Transitioning, Healthy, Unhealthy, Unschedulable or Failed, as of now."""
        return self.status().state

    @property
    def error(self) -> str | None:
        """Why the service is not healthy, as of now; None where it is, or no reason is known."""
        return self.status().error

    def wait_for_deployment(
        self,
        show_output: bool = False,
        timeout_sec: float | None = None,
        *,
        unschedulable_sec: float = 300,
    ) -> None:
        """Return when every replica serves.

        Args:
            show_output: whether to print each change of the state.
            timeout_sec: longest time to wait, in seconds; for ever unless given.
            unschedulable_sec: time after which a service whose pods fit on no node is given up, in seconds.

        Raises:
            GpuInferenceError: the service failed, stayed unschedulable, or the time is over.
        """
        wait_until_healthy(
            self.name,
            self.status,
            revision=lambda: self._deployment()["metadata"]["generation"],
            show_output=show_output,
            timeout_sec=timeout_sec,
            unschedulable_sec=unschedulable_sec,
        )

    @property
    def scoring_uri(self) -> str:
        """Where requests go: an address that answers from here, or without one that in the cluster."""
        return f"{self._base_uri()}/score"

    @property
    def swagger_uri(self) -> str:
        """Where the service describes itself."""
        return f"{self._base_uri()}/swagger.json"

    def get_keys(self) -> tuple[str, str]:
        """Return the primary and the secondary key.

        Raises:
            GpuInferenceError: the service asks for no key, or its Secret has none yet.
        """
        return read_keys(self._objects, self._deployment())

    def regen_key(self, key: str, set_key: str | None = None, *, progress: Progress | None = None) -> None:
        """Change one key while the other works; return when every ready pod goes by the new one.

        Nothing is restarted. It takes list on deployments, list and patch on the Secret and on pods, get and
        create on pods/portforward.

        Args:
            key: `primary` or `secondary`, in any case.
            set_key: the new key; made here unless given.
            progress: where to say what is waited for.

        Raises:
            GpuInferenceError: the key comes from the values or from a Secret of the user's own, somebody else
                changed it at the same time, or some pods did not follow within 120 s; they are named.
        """
        which = parse_key(key)
        value = new_key() if set_key is None else require_key(set_key)
        regenerate(self._objects, self._deployment(), which, value, progress=progress or Silent())

    def get_access_token(self) -> AccessToken:
        """Have the cluster make a token for the first ServiceAccount that may score, and return it.

        Raises:
            GpuInferenceError: the service asks for no token, or for one that the cluster cannot make; the
                message says where to get one.
        """
        return new_token(self._objects, self._deployment())

    def run(self, input_data: str | bytes, *, key: Key = "primary", token: str | None = None) -> Any:
        """Score the body of one request (usually JSON text) and return the decoded answer.

        Args:
            input_data: the body.
            key: which of the service's keys to send, if it asks for one.
            token: the token to send, if it asks for one; one of `get_access_token` unless given.

        Raises:
            GpuInferenceError: no replica can be reached, or the answer is not 200.
        """
        if token is not None or key not in self._clients:
            if self._reachable() is None:
                status = self.status()
                raise GpuInferenceError(
                    "Error attempting to call webservice, scoring_uri unavailable. This could be due to a "
                    "failed deployment, or the service is not ready yet.\n"
                    f"Current State: {status.state}\n"
                    f"Errors: {status.error}"
                )
            if token is not None:
                return ScoringClient(self.scoring_uri, lambda: token).run(input_data)
            self._clients[key] = ScoringClient(self.scoring_uri, lambda: self._credential(key))
        return self._clients[key].run(input_data)

    def get_logs(self, num_lines: int = 5000, init: bool = False) -> str:
        """Return what the service's containers wrote last.

        Args:
            num_lines: how many lines of each pod at most.
            init: the pods' init containers instead of the scoring containers.
        """
        pods = self._objects.pods(release_of(self._deployment()), "scoring")
        logs = {
            pod["metadata"]["name"]: pod_log(
                pod, log_reader(self._objects, pod, num_lines), num_lines, init=init
            )
            for pod in pods
        }
        if len(logs) == 1:
            return next(iter(logs.values()))
        return "\n".join(f"==> {pod} <==\n{text}" for pod, text in logs.items())

    def update(self, values: Mapping[str, Any], *, progress: Progress | None = None) -> None:
        """Change some of the service's values; those not given stay. Returns when Kubernetes has accepted it.

        Args:
            values: the chart's values that change.
            progress: where to tell what was found out about the cluster's GPUs.

        Raises:
            GpuInferenceError: nothing is given, or the values do not fit; nothing is changed then.
        """
        if not values:
            raise GpuInferenceError("No parameters provided to update.")
        release = release_of(self._deployment())
        helm = self._helm()
        wanted = merged(helm.values(release, namespace=self.namespace), values)
        rendered = helm.template(release, chart_directory(), wanted, namespace=self.namespace)
        wanted = check_nodes(wanted, rendered, self.kubeconfig, self.context, progress or Silent())
        helm.upgrade(release, chart_directory(), wanted, namespace=self.namespace)
        self._clients.clear()

    def delete(self) -> bool:
        """Remove the service and all that belongs to it; return False when there is none.

        Its pods do not drain: a request that is being scored is answered if that ends within 3 seconds.

        Raises:
            GpuInferenceError: it is no release of Helm's, or something of it is still there two minutes after
                its pods should have ended.
        """
        deployment = self._objects.deployment(self.name)
        release = release_of(deployment) if deployment else self.name
        helm, drain = self._helm(), 0
        if deployment and "deletionTimestamp" not in deployment["metadata"]:
            if helm.release(release, namespace=self.namespace) is None:
                raise GpuInferenceError(
                    f"The service {self.name} is no release of Helm's, so it is not removed here.",
                    "Remove it with what deployed it: kubectl delete -f, Argo CD, …",
                )
            drain = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            end_pods(self._objects, release, grace_seconds(deployment))
        elif deployment is None and "Deployment" not in self._objects.workloads(release):
            # What an interrupted deletion has left.
            end_pods(self._objects, release, LONGEST_GRACE_SECONDS)
        # docs/decisions.md 89
        removed = helm.uninstall(release, namespace=self.namespace)
        self._objects.delete_test_pods(release)
        deadline = time.monotonic() + drain + _GONE_SECONDS
        while left := self._objects.workloads(release):
            if time.monotonic() > deadline:
                names = ", ".join(f"{kind}/{name}" for kind, each in left.items() for name in each)
                raise GpuInferenceError(
                    f"The service {self.name} is removed, but this of it is still there: {names}.",
                    f"See what holds it: kubectl get pods --namespace {self.namespace} --output yaml",
                )
            time.sleep(0.2)
        self.close()
        return removed

    def close(self) -> None:
        """Close what `run` and `scoring_uri` opened to reach the service."""
        self._clients.clear()
        if self._forward is not None:
            self._forward.close()
            self._forward = None

    def _deployment(self) -> Object:
        deployment = self._objects.deployment(self.name)
        if deployment is None:
            raise GpuInferenceError(
                f"There is no service {self.name} in namespace {self.namespace}.",
                "See which there are: gpu-inference list --namespace NAMESPACE",
            )
        return deployment

    def _helm(self) -> Helm:
        return Helm(self._helm_program, kubeconfig=self.kubeconfig, context=self.context)

    def _service(self) -> Object:
        service = self._objects.service(self.name)
        if service is None:
            self._deployment()
            raise GpuInferenceError(f"The service {self.name} has no Service object in {self.namespace}.")
        return service

    def _reachable(self) -> str | None:
        """Return an address that answers from here: the Service's, or a port forward to a ready pod."""
        if self._forward is not None:
            return self._forward.address
        if address := reachable_address(self._objects, self._service()):
            return address
        if not self._deployment().get("status", {}).get("readyReplicas"):
            return None
        self._forward = forward_to_ready_pod(self._objects, release_of(self._deployment()))
        return self._forward.address

    def _base_uri(self) -> str:
        address = self._reachable() or address_in_cluster(self._service())
        return f"http://{address}/api/v1/service/{self.name}"

    def _credential(self, which: Key) -> str | None:
        deployment = self._deployment()
        if token_check(deployment):
            return new_token(self._objects, deployment).access_token
        if key_secret(deployment) is None:
            return None
        primary, secondary = self.get_keys()
        return primary if which == "primary" else secondary


def services(
    namespace: str = "default", *, kubeconfig: Path | None = None, context: str | None = None
) -> list[str]:
    """Return the names of the services in a namespace."""
    objects = Objects(find_kubeconfig(kubeconfig, context), context, namespace)
    return [deployment["metadata"]["name"] for deployment in objects.deployments()]


def states(
    namespace: str = "default", *, kubeconfig: Path | None = None, context: str | None = None
) -> dict[str, ServiceState]:
    """Return how each service of a namespace is, by its name.

    The cluster is asked as often for a hundred services as for one, apart from the logs of pods that failed.
    """
    objects = Objects(find_kubeconfig(kubeconfig, context), context, namespace)
    return {
        observed.deployment["metadata"]["name"]: service_state(observed)
        for observed in observe(objects, objects.deployments())
    }
