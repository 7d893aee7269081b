"""Finds the kubeconfig that a command means, and uses the cluster that it leads to."""

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
"""The cluster that is brought up on this machine where nobody names one."""


def find_kubeconfig(explicit: Path | None = None, context: str | None = None) -> Path:
    """Return the kubeconfig to use: the given one, `$KUBECONFIG`, the embedded cluster's, `~/.kube/config`.

    A running embedded cluster (of the default name) comes before the user's own file, so that what is tried
    out never lands by accident on a cluster that others use; who names another context means the own file.

    Raises:
        GpuInferenceError: none of them exists, or the named file does not.
    """
    if explicit is not None:
        return _existing(explicit, "The kubeconfig")
    if variable := os.environ.get("KUBECONFIG"):
        files = [Path(file) for file in variable.split(os.pathsep) if file]
        if len(files) > 1:
            raise GpuInferenceError(
                f"KUBECONFIG names {len(files)} files, and one is needed here.",
                "Name one with --kubeconfig, or merge them: kubectl config view --flatten > FILE",
            )
        return _existing(files[0], "The file that KUBECONFIG names,")
    local = local_kubeconfig(DEFAULT_NAME)
    # isfile, unlike Path.is_file, is False for a folder of root's that this user may not look into.
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
    """Any cluster that a kubeconfig leads to.

    Args:
        name: means nothing here; the context counts.
        progress: has nothing to say here.
        kubeconfig: the file; None: it is looked for as `find_kubeconfig` says.
        context: the context in it; None: its current one.
        simulate_gpus: whether it is a test cluster, to whose nodes gpu-inference-testing may give GPUs that
            are not there.
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
        """Check that the cluster answers; return its kubeconfig.

        Raises:
            GpuInferenceError: no kubeconfig is found, or the cluster does not answer.
        """
        with self.api() as api:
            api_server.server_version(api)
        return self._kubeconfig()

    def down(self) -> None:
        """Do nothing: the cluster is the user's."""

    def status(self) -> ClusterStatus:
        """Tell how the cluster is, and how the node is that simulated GPUs would be on."""
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
        """Refuse: its nodes pull images themselves.

        Raises:
            GpuInferenceError: always.
        """
        raise GpuInferenceError(
            f"The image {image.reference} cannot be loaded into a cluster of your own: its nodes pull.",
            "Push it where they pull from: gpu-inference deploy --push REGISTRY/REPOSITORY",
        )

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:  # noqa: ARG002
        """Return False: images cannot be loaded into it."""
        return False

    def _kubeconfig(self) -> Path:
        return find_kubeconfig(self._explicit, self._context)

    @contextmanager
    def api(self) -> Iterator[client.ApiClient]:
        """Give a client for its API server; what goes wrong within the block becomes a sentence."""
        kubeconfig = self._kubeconfig()
        with (
            api_server.sentences(f"The cluster of {kubeconfig}", "Try it: kubectl cluster-info"),
            api_server.connect(kubeconfig, self._context) as api,
        ):
            yield api
