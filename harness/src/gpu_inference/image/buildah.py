"""Builds images with buildah: needs root, and neither a daemon nor a container engine.

The images lie in a store of our own in the cache folder, so that deleting the cache removes them and nothing
of ours mixes with images of the user.
"""

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_inference import process
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image.engine import CONTENT_LABEL, StoredImage
from gpu_inference.image.host_settings import build_mounts
from gpu_inference.paths import cache_directory
from gpu_inference.progress import Silent
from gpu_inference.toolchain.cache import locked

_NOT_THERE = "image not known"


class Buildah:
    """The engine of machines without Docker."""

    name = "buildah"
    builds_base = True

    def __init__(self) -> None:
        self._store = cache_directory() / "images"
        # What buildah keeps until a reboot (mount counts); one folder per store.
        self._runtime = Path("/run/gpu-inference-images", hashlib.sha256(bytes(self._store)).hexdigest()[:12])

    def find(self, reference: str) -> StoredImage | None:
        """Return the image of that name, or None."""
        try:
            stored = self._inspect(reference, reference)
        except process.ProgramError as error:
            if _NOT_THERE not in error.said:
                raise
            return None
        return stored if stored.content is not None else None

    def images(self) -> list[StoredImage]:
        """Return the images that carry our label, once for each name that an image has."""
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
        # One build at a time, so that cleaning up after one cannot hit another.
        with (
            locked(self._store, Silent()),
            tempfile.TemporaryDirectory(prefix="gpu-inference-build-") as scratch,
        ):
            volumes = [f"--volume={here}:{there}:ro" for here, there in build_mounts(Path(scratch))]
            try:
                self._buildah(
                    "build",
                    # Docker's format keeps the image's id when it is saved as a docker-archive.
                    "--format=docker",
                    # The other isolations need a container runtime and cgroups.
                    "--isolation=chroot",
                    "--layers",
                    f"--tag={reference}",
                    f"--file={dockerfile or context / 'Dockerfile'}",
                    f"--label={CONTENT_LABEL}={content}",
                    *(f"--build-arg={key}={value}" for key, value in (arguments or {}).items()),
                    *volumes,
                    str(context),
                )
            except BaseException:
                # What an interrupted build was working on keeps disk and a mount.
                self._buildah("rm", "--all")
                raise
        image = self.find(reference)
        if image is None:
            raise GpuInferenceError(
                f"buildah reports success, but {reference} is not in its store {self._store}."
            )
        return image

    def save(self, reference: str, archive: Path) -> None:
        """Write an image as a docker-archive."""
        self._buildah("push", "--quiet", reference, f"docker-archive:{archive}:{reference}")

    def push(self, reference: str, destination: str) -> None:
        """Copy an image to a registry, with the credentials of `buildah login` or `docker login`."""
        self._buildah("push", "--quiet", reference, f"docker://{destination}")

    def remove(self, reference: str) -> None:
        """Remove an image, and the layers that no other image needs, from the store."""
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
