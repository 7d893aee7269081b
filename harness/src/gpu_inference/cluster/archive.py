"""An image in a file, as `docker save` writes it, to be loaded into a cluster."""

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

from gpu_inference.errors import GpuInferenceError


class ArchivedImage:
    """The one image of a docker-archive.

    Raises:
        GpuInferenceError: the file cannot be read, or does not hold exactly one image with one name.
    """

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        try:
            with tarfile.open(archive, "r:") as tar:
                images = json.loads(_member(tar, "manifest.json"))
                references = [name for image in images for name in image["RepoTags"] or []]
                configuration = _member(tar, images[0]["Config"]) if images else b""
        except (OSError, tarfile.TarError, KeyError, ValueError) as error:
            raise GpuInferenceError(
                f"{archive} is not an archive with an image: {error}.", "Write one: docker save NAME -o FILE"
            ) from error
        if len(images) != 1 or len(references) != 1:
            raise GpuInferenceError(
                f"{archive} holds {len(images)} images with {len(references)} names; one of each is needed.",
                "Write one image by its name: docker save NAME -o FILE",
            )
        self.reference: str = full_name(references[0])
        self.image_id: str = f"sha256:{hashlib.sha256(configuration).hexdigest()}"

    def save(self, archive: Path) -> None:
        """Give the same archive another name; copy it where a link cannot reach."""
        try:
            os.link(self._archive.resolve(), archive)
        except OSError:
            shutil.copyfile(self._archive, archive)


def full_name(reference: str) -> str:
    """Return the name that Kubernetes resolves an image's short name to."""
    first, slash, _ = reference.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()
