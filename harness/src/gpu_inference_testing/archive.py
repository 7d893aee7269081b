"""Reads and writes images in the docker-archive format of `docker save`."""

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from gpu_inference.errors import GpuInferenceError
from gpu_inference.names import full_name
from gpu_inference_testing.toolchain.go_command import architecture


class ArchivedImage:
    """The image in a docker-archive, for `Cluster.load_image`.

    Raises:
        GpuInferenceError: the file cannot be read, or does not contain exactly one image with one name.
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
                f"{archive} contains {len(images)} images with {len(references)} names, but one is needed.",
                "Save a single image by its name: docker save NAME -o FILE",
            )
        self.reference: str = full_name(references[0])
        self.image_id: str = f"sha256:{hashlib.sha256(configuration).hexdigest()}"

    def save(self, archive: Path) -> None:
        """Make the archive available under another path: as a hard link if possible, or else as a copy."""
        try:
            os.link(self._archive.resolve(), archive)
        except OSError:
            shutil.copyfile(self._archive, archive)


def write_archive(
    archive: Path, reference: str, programs: Mapping[str, Path], *, entrypoint: Sequence[str] = (), user: str
) -> None:
    """Write an image that contains only these programs, in its root folder; the output is reproducible.

    Args:
        archive: the file to write.
        reference: the image's name and tag.
        programs: paths of statically linked programs, by their names in the image.
        entrypoint: the image's entrypoint.
        user: user and group that run it, e.g. `65535:65535`.
    """
    with tempfile.TemporaryFile(dir=archive.parent) as layer:
        with tarfile.open(fileobj=layer, mode="w") as tar:
            for name, program in programs.items():
                entry = tarfile.TarInfo(name)
                entry.size = program.stat().st_size
                entry.mode = 0o755
                with program.open("rb") as content:
                    tar.addfile(entry, content)
        layer.seek(0)
        diff_id = hashlib.file_digest(layer, "sha256").hexdigest()
        configuration = json.dumps(
            {
                # Images use Go's names of architectures.
                "architecture": architecture(),
                "os": "linux",
                "config": {"Entrypoint": list(entrypoint), "User": user},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
            }
        ).encode()
        configuration_name = f"{hashlib.sha256(configuration).hexdigest()}.json"
        layer_name = f"{diff_id}/layer.tar"
        manifest = json.dumps(
            [{"Config": configuration_name, "RepoTags": [reference], "Layers": [layer_name]}]
        ).encode()
        layer_size = layer.tell()
        layer.seek(0)
        with tarfile.open(archive, "w") as tar:
            members: list[tuple[str, int, IO[bytes]]] = [
                (configuration_name, len(configuration), io.BytesIO(configuration)),
                (layer_name, layer_size, layer),
                ("manifest.json", len(manifest), io.BytesIO(manifest)),
            ]
            for name, size, data in members:
                entry = tarfile.TarInfo(name)
                entry.size = size
                tar.addfile(entry, data)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is not a file")
    return file.read()
