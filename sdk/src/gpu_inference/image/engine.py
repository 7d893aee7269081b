"""The engines that build and store images: Docker and buildah."""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from gpu_inference import process
from gpu_inference.cache import locked
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image.host_settings import build_mounts
from gpu_inference.names import full_name
from gpu_inference.paths import cache_directory
from gpu_inference.progress import Silent

CONTENT_LABEL = "io.gpu-inference.content"
_RESPONSE_SECONDS = 15
_BUILDAH_NOT_FOUND = "image not known"


@dataclasses.dataclass(frozen=True)
class StoredImage:
    """An image in an engine's store."""

    reference: str
    image_id: str
    content: str | None
    """The digest of its inputs, from our label; None for an image without the label."""
    size_bytes: int


class Engine(Protocol):
    """Builds and stores images. References are full names, e.g. `docker.io/library/x:1`."""

    name: str
    builds_base: bool
    """Whether the runtime image needs a base built here, because the engine cannot pull the default one."""

    def find(self, reference: str) -> StoredImage | None:
        """Return the image of that name, or None."""

    def images(self) -> list[StoredImage]:
        """Return the images that have our label."""

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
        """Push an image to a registry, with the engine's credentials."""

    def remove(self, reference: str) -> None:
        """Remove an image from the store."""


@dataclasses.dataclass(frozen=True)
class BuiltImage:
    """An image on this machine, which `Cluster.load_image` can load."""

    reference: str
    image_id: str
    size_bytes: int
    engine: Engine

    def save(self, archive: Path) -> None:
        """Write the image as a docker-archive."""
        self.engine.save(self.reference, archive)

    def push(self, destination: str) -> None:
        """Push the image to `destination` (registry, repository and tag)."""
        self.engine.push(self.reference, destination)


def as_built_image(stored: StoredImage, engine: Engine) -> BuiltImage:
    """Return an image of an engine's store as a `BuiltImage`."""
    return BuiltImage(stored.reference, stored.image_id, stored.size_bytes, engine)


def find_engine() -> Engine:
    """Return Docker if its engine responds, or else buildah.

    Raises:
        GpuInferenceError: neither is available, or buildah is but this user is not root.
    """
    if docker_responds():
        return Docker()
    if shutil.which("buildah") is None:
        raise GpuInferenceError(
            "Images cannot be built here: no Docker engine responds, and buildah is not installed.",
            "Start Docker, or install buildah (Debian: apt-get install buildah mmdebstrap).",
        )
    if os.geteuid() != 0:
        raise GpuInferenceError(
            "Images cannot be built here: no Docker engine responds, and buildah needs root.",
            "Start Docker, or run the command again with sudo.",
        )
    return Buildah()


def docker_responds() -> bool:
    """Return whether Docker is installed and its engine is running."""
    if shutil.which("docker") is None:
        return False
    try:
        # This format makes the client query the engine; without an engine it exits non-zero.
        return bool(
            process.run(
                ["docker", "info", "--format", "{{.ServerVersion}}"], timeout=_RESPONSE_SECONDS
            ).strip()
        )
    except GpuInferenceError:
        return False


def _build_flags(reference: str, dockerfile: Path, arguments: Mapping[str, str], content: str) -> list[str]:
    """Return the flags that `docker build` and `buildah build` share."""
    return [
        f"--tag={reference}",
        f"--file={dockerfile}",
        f"--label={CONTENT_LABEL}={content}",
        *(f"--build-arg={key}={value}" for key, value in arguments.items()),
    ]


class Docker:
    """Docker, which can pull the Dockerfile's default base."""

    name = "docker"
    builds_base = False

    def find(self, reference: str) -> StoredImage | None:
        """Return the image of that name, or None."""
        try:
            facts: list[dict[str, Any]] = json.loads(process.run(["docker", "image", "inspect", reference]))
        except process.ProgramError as error:
            if "no such image" in error.output.lower():
                return None
            raise
        labels = facts[0]["Config"].get("Labels") or {}
        return StoredImage(reference, facts[0]["Id"], labels.get(CONTENT_LABEL), facts[0]["Size"])

    def images(self) -> list[StoredImage]:
        """Return the images that have our label."""
        listed = process.run(
            ["docker", "images", f"--filter=label={CONTENT_LABEL}", "--format={{.Repository}}:{{.Tag}}"]
        )
        named = [name for name in listed.split() if "<none>" not in name]
        found = [self.find(full_name(name)) for name in named]
        return [image for image in found if image is not None]

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
        process.run(
            [
                "docker",
                "build",
                *_build_flags(reference, dockerfile or context / "Dockerfile", arguments or {}, content),
                str(context),
            ]
        )
        image = self.find(reference)
        if image is None:
            raise GpuInferenceError(f"docker build succeeded, but {reference} is not among Docker's images.")
        return image

    def save(self, reference: str, archive: Path) -> None:
        """Write an image as a docker-archive."""
        process.run(["docker", "save", f"--output={archive}", reference])

    def push(self, reference: str, destination: str) -> None:
        """Push an image to a registry, with the credentials of `docker login`."""
        process.run(["docker", "tag", reference, destination])
        process.run(["docker", "push", "--quiet", destination])

    def remove(self, reference: str) -> None:
        """Remove an image from Docker's store."""
        process.run(["docker", "image", "rm", reference])


class Buildah:
    """buildah, for machines without Docker: it needs root, but no daemon and no container engine.

    Images are kept in a separate store in the cache folder: they do not mix with the user's images, and
    deleting the cache removes them.
    """

    name = "buildah"
    builds_base = True

    def __init__(self) -> None:
        self._store = cache_directory() / "images"
        # buildah's state until the next reboot (mount counts); one folder per store.
        self._runtime = Path("/run/gpu-inference-images", hashlib.sha256(bytes(self._store)).hexdigest()[:12])

    def find(self, reference: str) -> StoredImage | None:
        """Return the image of that name, or None."""
        try:
            stored = self._inspect(reference, reference)
        except process.ProgramError as error:
            if _BUILDAH_NOT_FOUND not in error.output:
                raise
            return None
        return stored if stored.content is not None else None

    def images(self) -> list[StoredImage]:
        """Return the images that have our label; an image with several names appears once per name."""
        found = []
        for listed in json.loads(self._buildah("images", "--json") or "null") or []:
            if names := listed.get("names"):
                stored = self._inspect(listed["id"], names[0])
                found += [dataclasses.replace(stored, reference=name) for name in names]
        return [image for image in found if image.content is not None]

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
        # One build at a time, because the cleanup of a failed build removes all containers.
        with (
            locked(self._store, Silent()),
            tempfile.TemporaryDirectory(prefix="gpu-inference-build-") as scratch,
        ):
            volumes = [f"--volume={here}:{there}:ro" for here, there in build_mounts(Path(scratch))]
            try:
                self._buildah(
                    "build",
                    # With Docker's format the image keeps its id when it is saved as a docker-archive.
                    "--format=docker",
                    # The other isolation modes need a container runtime and cgroups.
                    "--isolation=chroot",
                    "--layers",
                    *_build_flags(reference, dockerfile or context / "Dockerfile", arguments or {}, content),
                    *volumes,
                    str(context),
                )
            except BaseException:
                # A failed build leaves a container, which uses disk space and a mount.
                self._buildah("rm", "--all")
                raise
        image = self.find(reference)
        if image is None:
            raise GpuInferenceError(f"buildah succeeded, but {reference} is not in its store {self._store}.")
        return image

    def save(self, reference: str, archive: Path) -> None:
        """Write an image as a docker-archive."""
        self._buildah("push", "--quiet", reference, f"docker-archive:{archive}:{reference}")

    def push(self, reference: str, destination: str) -> None:
        """Push an image to a registry, with the credentials of `buildah login` or `docker login`."""
        self._buildah("push", "--quiet", reference, f"docker://{destination}")

    def remove(self, reference: str) -> None:
        """Remove an image, and layers that no other image needs, from the store."""
        self._buildah("rmi", reference)

    def _inspect(self, image: str, reference: str) -> StoredImage:
        facts: dict[str, Any] = json.loads(self._buildah("inspect", "--type=image", image))
        manifest = json.loads(facts["Manifest"])
        labels = facts["Docker"]["config"].get("Labels") or {}
        return StoredImage(
            reference=reference,
            image_id=manifest["config"]["digest"],
            content=labels.get(CONTENT_LABEL),
            size_bytes=sum(layer["size"] for layer in manifest["layers"]),
        )

    def _buildah(self, *words: str) -> str:
        store = ["--root", str(self._store), "--runroot", str(self._runtime)]
        return process.run(["buildah", *store, *words])
