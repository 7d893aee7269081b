"""A cluster that kind creates in Docker; both must be installed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from kubernetes import client

from gpu_inference.cluster import DEFAULT_NAME, ClusterStatus, LocalImage
from gpu_inference.cluster import api as api_server
from gpu_inference.cluster.providers import cluster_entry, mark
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import state_directory
from gpu_inference.process import run
from gpu_inference.progress import Progress, Silent
from gpu_inference_testing import gpus


class KindCluster:
    """A cluster of one node, managed by kind; its kubeconfig is separate from ~/.kube/config.

    Args:
        name: the cluster's name in kind.
        progress: receives the steps. Default: they are not shown.
    """

    options: frozenset[str] = frozenset()

    def __init__(self, *, name: str = DEFAULT_NAME, progress: Progress | None = None) -> None:
        self.name = name
        self._progress = progress or Silent()
        self._kubeconfig = state_directory() / f"kind-{name}.kubeconfig"

    def up(self) -> Path:
        """Create the cluster if it does not exist; return its kubeconfig.

        Raises:
            GpuInferenceError: kind is not installed, or fails.
        """
        if not self._exists():
            with self._progress.step(f"Creating the kind cluster {self.name!r}"):
                self._kubeconfig.parent.mkdir(parents=True, exist_ok=True)
                try:
                    self._kind("create", "cluster", "--wait=120s", f"--kubeconfig={self._kubeconfig}")
                except BaseException:
                    # kind does not remove its containers if it is interrupted.
                    self.down()
                    raise
        self._kind("export", "kubeconfig", f"--kubeconfig={self._kubeconfig}")
        self._mark_kubeconfig()
        with self._api() as api:
            api_server.server_version(api)
        return self._kubeconfig

    def down(self) -> None:
        """Delete the cluster; do nothing if it does not exist."""
        with self._progress.step(f"Deleting the kind cluster {self.name!r}"):
            self._kind("delete", "cluster", f"--kubeconfig={self._kubeconfig}")
        self._kubeconfig.unlink(missing_ok=True)

    def status(self) -> ClusterStatus:
        """Return the cluster's status."""
        if not self._exists():
            return ClusterStatus.not_running("kind", self.name)
        with self._api() as api:
            node = api_server.schedulable_node(api)
            return ClusterStatus(
                provider="kind",
                name=self.name,
                running=True,
                kubeconfig=self._kubeconfig,
                kubernetes=api_server.server_version(api),
                node_ready=api_server.is_node_ready(node),
                gpus=api_server.gpus_of(node),
                gpu_product=api_server.gpu_product_of(node),
                cpu_overcommitted=False,
            )

    def load_image(self, image: LocalImage) -> bool:
        """Load an image into the node unless it has the same one; return whether it was loaded.

        Raises:
            GpuInferenceError: the cluster does not exist, or kind fails.
        """
        if self._loaded_id(image.reference) == image.image_id:
            return False
        with (
            self._progress.step(f"Loading {image.reference}"),
            tempfile.TemporaryDirectory(prefix="gpu-inference-image-") as folder,
        ):
            archive = Path(folder, "image.tar")
            image.save(archive)
            self._kind("load", "image-archive", str(archive))
        return True

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:
        """Return whether the cluster is running and this kubeconfig (or a copy of its own) connects to it."""
        own = cluster_entry(self._kubeconfig)
        return bool(own) and own == cluster_entry(kubeconfig, context) and self._exists()

    def set_gpus(self, count: int, product: str = gpus.DEFAULT_PRODUCT, mode: gpus.Mode = "patch") -> None:
        """Make the node advertise simulated GPUs; 0 removes them.

        Raises:
            GpuInferenceError: the mode is `plugin`, or the node has real GPUs.
        """
        gpus.refuse_plugin_mode(mode)
        with self._api() as api:
            gpus.advertise_by_patch(api, count, product)

    def _mark_kubeconfig(self) -> None:
        content = yaml.safe_load(self._kubeconfig.read_text())
        for each in content["clusters"]:
            each["cluster"]["extensions"] = [mark("kind", self.name)]
        self._kubeconfig.write_text(yaml.safe_dump(content, sort_keys=False))

    def _loaded_id(self, reference: str) -> str | None:
        node = f"{self.name}-control-plane"
        template = "{{.status.id}}"
        try:
            inspect = ["crictl", "inspecti", "--output=go-template", f"--template={template}", reference]
            return run(["docker", "exec", node, *inspect]).strip()
        except GpuInferenceError:
            return None  # crictl exits non-zero for an unknown image.

    def _exists(self) -> bool:
        return self.name in run(["kind", "get", "clusters"]).split()

    def _kind(self, *arguments: str) -> str:
        return run(["kind", *arguments, "--name", self.name])

    @contextmanager
    def _api(self) -> Iterator[client.ApiClient]:
        if not self._exists():
            raise GpuInferenceError(
                f"There is no kind cluster {self.name!r}.",
                f"Create it: gpu-inference cluster up --provider kind --name {self.name}",
            )
        with (
            api_server.api_errors(f"The kind cluster {self.name!r}", "Check its container: docker ps -a"),
            api_server.connect(self._kubeconfig) as api,
        ):
            yield api
