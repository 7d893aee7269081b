"""What the harness asks of a program that builds images, and what it gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CONTENT_LABEL = "io.gpu-inference.content"


@dataclass(frozen=True)
class StoredImage:
    """An image in an engine's store."""

    reference: str
    image_id: str
    content: str | None
    """The key of what it was built from; None for an image that is not ours."""
    size_bytes: int


class Engine(Protocol):
    """Builds images and keeps them; references are full names, as in `docker.io/library/x:1`."""

    name: str
    builds_base: bool
    """Whether the Dockerfile's default base cannot be pulled with it, so that we make our own."""

    def find(self, reference: str) -> StoredImage | None:
        """Return the image of that name, or None."""

    def images(self) -> list[StoredImage]:
        """Return the images that carry our label."""

    def build(
        self,
        reference: str,
        context: Path,
        *,
        dockerfile: Path | None = None,
        arguments: Mapping[str, str] | None = None,
        content: str,
    ) -> StoredImage:
        """Build a Dockerfile (the context's own unless given) and label the image with `content`."""

    def save(self, reference: str, archive: Path) -> None:
        """Write an image as a docker-archive."""

    def push(self, reference: str, destination: str) -> None:
        """Copy an image to a registry, with the credentials that the engine has for it."""

    def remove(self, reference: str) -> None:
        """Remove an image from the store."""


@dataclass(frozen=True)
class BuiltImage:
    """An image on this machine: what `Cluster.load_image` takes."""

    reference: str
    image_id: str
    size_bytes: int
    engine: Engine

    def save(self, archive: Path) -> None:
        """Write it as a docker-archive."""
        self.engine.save(self.reference, archive)

    def push(self, destination: str) -> None:
        """Copy it to `destination` (registry, repository and tag)."""
        self.engine.push(self.reference, destination)


def built(stored: StoredImage, engine: Engine) -> BuiltImage:
    """Return an image of an engine's store as one that clusters can load."""
    return BuiltImage(stored.reference, stored.image_id, stored.size_bytes, engine)
