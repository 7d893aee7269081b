"""What is asked of a cluster, whichever kind it is, and of the class that opens clusters of one kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gpu_inference.progress import Progress


class LocalImage(Protocol):
    """An image that lies on this machine and can be brought into a cluster."""

    @property
    def reference(self) -> str:
        """Its full name, registry and tag included, e.g. `docker.io/library/gpu-inference-runtime:0.2.0`."""

    @property
    def image_id(self) -> str:
        """The digest of its configuration (`sha256:…`): equal ids mean equal content."""

    def save(self, archive: Path) -> None:
        """Write it as a docker-archive (the format of `docker save`)."""


@dataclass(frozen=True)
class ClusterStatus:
    """What `gpu-inference cluster status` tells."""

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
    """Why it is not running although it was brought up, or why it does not answer."""

    @classmethod
    def not_running(cls, provider: str, name: str, problem: str | None = None) -> "ClusterStatus":
        """Return the status of a cluster that is not there, or does not answer."""
        return cls(provider, name, False, None, None, False, 0, None, False, problem)


class Cluster(Protocol):
    """A place to run services in. Each method can be called again after it succeeded, and after it failed."""

    name: str

    def up(self) -> Path:
        """Bring the cluster up if it is not, wait until its node is Ready, return its kubeconfig."""

    def down(self) -> None:
        """Remove the cluster and all that belongs to it; do nothing when there is none."""

    def status(self) -> ClusterStatus:
        """Tell how it is, without changing anything."""

    def load_image(self, image: LocalImage) -> bool:
        """Make an image available to pods under its full name; return False where it already was."""

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:
        """Tell whether it runs and a kubeconfig leads to it, so that its images can be loaded from here."""


class Provider(Protocol):
    """A class of clusters; an entry point of the group `gpu_inference.clusters` names it."""

    options: frozenset[str]
    """What it takes beside `name` and `progress`, all of it optional."""

    def __call__(self, *, progress: Progress | None = None, **options: Any) -> Cluster:
        """Return the cluster called `name` (the provider's default one unless given); nothing is changed."""
