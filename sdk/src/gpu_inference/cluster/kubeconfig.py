"""Finds the kubeconfig that a command uses, and provides access to its cluster."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client

from gpu_inference.cluster import api as api_server
from gpu_inference.cluster.base import ClusterStatus, LocalImage
from gpu_inference.cluster.providers import cluster_of
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import local_kubeconfig
from gpu_inference.progress import Progress

DEFAULT_NAME = "gpu-inference"
"""Default name of a cluster that is brought up on this machine."""


def find_kubeconfig(explicit: Path | None = None, context: str | None = None) -> Path:
    """Return the kubeconfig to use: the given one, `$KUBECONFIG`, the embedded cluster's, `~/.kube/config`.

    A running embedded cluster (of the default name) takes precedence over ~/.kube/config, so that experiments
    do not end up on a shared cluster by accident. A context of another name selects ~/.kube/config.

    Args:
        explicit: the kubeconfig to use, if the caller has one.
        context: the kubeconfig's context, if the caller has one.

    Raises:
        GpuInferenceError: none of them exists, the given file does not exist, or KUBECONFIG lists several.
    """
    if explicit is not None:
        return _existing(explicit, "The kubeconfig")
    if variable := os.environ.get("KUBECONFIG"):
        files = [Path(file) for file in variable.split(os.pathsep) if file]
        if len(files) > 1:
            raise GpuInferenceError(
                f"KUBECONFIG contains {len(files)} files, but only one can be used.",
                "Choose one with --kubeconfig, or merge them: kubectl config view --flatten > FILE",
            )
        return _existing(files[0], "The file in KUBECONFIG,")
    local = local_kubeconfig(DEFAULT_NAME)
    # os.path.isfile returns False for a folder that this user may not read; Path.is_file raises.
    if context in (None, DEFAULT_NAME) and os.path.isfile(local) and cluster_of(local):  # noqa: PTH113
        return local
    own = Path.home() / ".kube" / "config"
    if own.is_file():
        return own
    raise GpuInferenceError(
        "No cluster was found: no --kubeconfig, no KUBECONFIG, no embedded cluster, no ~/.kube/config.",
        "Bring one up on this machine: gpu-inference cluster up",
    )


def _existing(file: Path, what: str) -> Path:
    if not file.is_file():
        raise GpuInferenceError(f"{what} {file} does not exist.", "Check the path.")
    return file


class KubeconfigCluster:
    """Any cluster that has a kubeconfig.

    Args:
        name: ignored; the context identifies the cluster.
        progress: ignored.
        kubeconfig: the file. Default: the one that `find_kubeconfig` returns.
        context: the context in it. Default: its current one.
        simulate_gpus: whether this is a test cluster, whose nodes may get simulated GPUs from
            gpu-inference-testing.
    """

    options = frozenset({"kubeconfig", "context", "simulate_gpus"})

    def __init__(
        self,
        *,
        name: str | None = None,  # noqa: ARG002  (every provider takes both)
        progress: Progress | None = None,  # noqa: ARG002
        kubeconfig: Path | None = None,
        context: str | None = None,
        simulate_gpus: bool = False,
    ) -> None:
        self.name = context or "kubeconfig"
        self.simulate_gpus = simulate_gpus
        self._explicit = kubeconfig
        self._context = context

    def up(self) -> Path:
        """Check that the cluster responds; return its kubeconfig.

        Raises:
            GpuInferenceError: no kubeconfig is found, or the cluster does not respond.
        """
        with self.api() as api:
            api_server.server_version(api)
        return self._kubeconfig()

    def down(self) -> None:
        """Do nothing: the cluster belongs to the user."""

    def status(self) -> ClusterStatus:
        """Return the status of the cluster and of the node that simulated GPUs would be added to."""
        try:
            with self.api() as api:
                version = api_server.server_version(api)
                node = api_server.schedulable_node(api)
        except GpuInferenceError as error:
            return ClusterStatus.not_running("kubeconfig", self.name, problem=error.what)
        return ClusterStatus(
            provider="kubeconfig",
            name=self.name,
            running=True,
            kubeconfig=self._kubeconfig(),
            kubernetes=version,
            node_ready=api_server.is_node_ready(node),
            gpus=api_server.gpus_of(node),
            gpu_product=api_server.gpu_product_of(node),
            cpu_overcommitted=False,
        )

    def load_image(self, image: LocalImage) -> bool:
        """Raise an error: the nodes of this cluster pull images from a registry.

        Raises:
            GpuInferenceError: always.
        """
        raise GpuInferenceError(
            f"The image {image.reference} cannot be loaded into this cluster: its nodes pull images.",
            "Push it to a registry that they pull from: gpu-inference deploy --push REGISTRY/REPOSITORY",
        )

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:  # noqa: ARG002
        """Return False: images cannot be loaded into this cluster."""
        return False

    def _kubeconfig(self) -> Path:
        return find_kubeconfig(self._explicit, self._context)

    @contextmanager
    def api(self) -> Iterator[client.ApiClient]:
        """Yield a client for the API server; convert its errors within the block into GpuInferenceError."""
        kubeconfig = self._kubeconfig()
        with (
            api_server.api_errors(f"The cluster of {kubeconfig}", "Check it: kubectl cluster-info"),
            api_server.connect(kubeconfig, self._context) as api,
        ):
            yield api
