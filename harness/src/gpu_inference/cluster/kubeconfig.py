"""A cluster that the user has: it is used, and never changed unless the user insists on simulated GPUs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client

from gpu_inference.cluster import api as api_server
from gpu_inference.cluster import gpus
from gpu_inference.cluster.base import ClusterStatus, LocalImage
from gpu_inference.cluster.locate import find_kubeconfig
from gpu_inference.errors import GpuInferenceError


class ExistingCluster:
    """Any cluster that a kubeconfig leads to.

    Args:
        kubeconfig: the file; None: it is looked for as `locate.find_kubeconfig` says.
        context: the context in it; None: its current one.
        simulate_gpus: let `set_gpus` write to a node's status, which is right on a test cluster only.
    """

    def __init__(
        self, kubeconfig: Path | None = None, context: str | None = None, *, simulate_gpus: bool = False
    ) -> None:
        self.name = context or "kubeconfig"
        self._explicit = kubeconfig
        self._context = context
        self._simulate_gpus = simulate_gpus

    def up(self) -> Path:
        """Check that the cluster answers; return its kubeconfig.

        Raises:
            GpuInferenceError: no kubeconfig is found, or the cluster does not answer.
        """
        with self._api() as api:
            api_server.server_version(api)
        return self._kubeconfig()

    def down(self) -> None:
        """Do nothing: the cluster is the user's."""

    def status(self) -> ClusterStatus:
        """Tell how the cluster is, and how the node is that simulated GPUs would be on."""
        try:
            with self._api() as api:
                version = api_server.server_version(api)
                node = gpus.schedulable_node(api)
        except GpuInferenceError as error:
            return ClusterStatus.not_running("kubeconfig", self.name, problem=error.what)
        return ClusterStatus(
            provider="kubeconfig",
            name=self.name,
            running=True,
            kubeconfig=self._kubeconfig(),
            kubernetes=version,
            node_ready=api_server.is_node_ready(node),
            gpus=gpus.allocatable(node),
            gpu_product=gpus.product(node),
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

    def set_gpus(self, count: int, product: str = "NVIDIA-A100-SXM4-40GB", mode: gpus.Mode = "patch") -> None:
        """Make a node advertise GPUs that are not there, if the user allowed it.

        Raises:
            GpuInferenceError: it was not allowed, the mode is `plugin`, or the node has real GPUs.
        """
        if not self._simulate_gpus:
            raise GpuInferenceError(
                "Simulated GPUs would make this cluster accept work that it cannot do.",
                "If it is a test cluster, say so: --simulate-gpus (in Python: simulate_gpus=True).",
            )
        gpus.refuse_plugin_mode(mode)
        with self._api() as api:
            gpus.advertise_by_patch(api, count, product)

    def _kubeconfig(self) -> Path:
        return find_kubeconfig(self._explicit, self._context)

    @contextmanager
    def _api(self) -> Iterator[client.ApiClient]:
        kubeconfig = self._kubeconfig()
        with (
            api_server.sentences(f"The cluster of {kubeconfig}", "Try it: kubectl cluster-info"),
            api_server.connect(kubeconfig, self._context) as api,
        ):
            yield api
