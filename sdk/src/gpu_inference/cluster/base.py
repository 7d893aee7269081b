"""Protocols of clusters and of the providers that open them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gpu_inference.progress import Progress


class LocalImage(Protocol):
    """An image on this machine that can be loaded into a cluster."""

    @property
    def reference(self) -> str:
        """Its full name with registry and tag, e.g. `docker.io/library/gpu-inference-runtime:0.2.0`."""

    @property
    def image_id(self) -> str:
        """The digest of its configuration (`sha256:…`). Images with equal ids have equal content."""

    def save(self, archive: Path) -> None:
        """Write the image as a docker-archive, the format of `docker save`."""


@dataclass(frozen=True)
class ClusterStatus:
    """The status of a cluster, as `gpu-inference cluster status` shows it."""

    provider: str
    name: str
    running: bool
    kubeconfig: Path | None
    kubernetes: str | None
    node_ready: bool
    gpus: int
    gpu_product: str | None
    cpu_overcommitted: bool
    problem: str | None = None
    """Why it stopped after it was brought up, or why it does not respond."""

    @classmethod
    def not_running(cls, provider: str, name: str, problem: str | None = None) -> "ClusterStatus":
        """Return the status of a cluster that does not exist or does not respond."""
        return cls(provider, name, False, None, None, False, 0, None, False, problem)


class Cluster(Protocol):
    """A cluster to run services in. Every method can be repeated, after a success and after a failure."""

    name: str

    def up(self) -> Path:
        """Bring the cluster up if it is not running, wait until its node is Ready, return its kubeconfig."""

    def down(self) -> None:
        """Remove the cluster and everything in it; do nothing if it does not exist."""

    def status(self) -> ClusterStatus:
        """Return its status; change nothing."""

    def load_image(self, image: LocalImage) -> bool:
        """Make an image available to pods under its full name; return False if it already was."""

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:
        """Return whether the cluster is running and this kubeconfig (and context) connects to it."""


class Provider(Protocol):
    """A class of clusters, registered as an entry point of the group `gpu_inference.clusters`."""

    options: frozenset[str]
    """Names of its keyword arguments besides `name` and `progress`; all are optional."""

    def __call__(self, *, progress: Progress | None = None, **options: Any) -> Cluster:
        """Return the cluster with the given `name` (or the provider's default); change nothing."""
