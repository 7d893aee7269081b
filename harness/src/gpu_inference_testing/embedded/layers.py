"""Leaves out of an image's archive the layers that a node has already, so that only what is new is imported.

An image of a service is some files on a runtime image of hundreds of megabytes. containerd takes an image
whose layers are in its store already if it comes as an OCI archive; in a docker-archive it wants every layer.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIGURATION = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"
# Where containerd reads the whole name; OCI's own annotation has the tag alone.
_NAME = "io.containerd.image.name"


def write_thin_archive(archive: Path, thin: Path, reference: str, present: Collection[str]) -> bool:
    """Write an OCI archive of an image with those of its layers that are not present.

    Args:
        archive: the image as a docker-archive.
        thin: where to write to.
        reference: the image's full name.
        present: digests (`sha256:…`) of what the node's store has.

    Returns:
        Whether it was written. It is not where no layer is present, where the archive's layers are not named
        by their digests, as buildah names them, or where the archive is damaged.
    """
    try:
        return _write(archive, thin, reference, present)
    # containerd tells what is wrong with the archive.
    except (OSError, tarfile.TarError, LookupError, ValueError):
        return False


def _write(archive: Path, thin: Path, reference: str, present: Collection[str]) -> bool:
    with tarfile.open(archive, "r:") as source:
        manifest = json.loads(_content(source, "manifest.json"))[0]
        configuration = _content(source, manifest["Config"])
        digests: list[str] = json.loads(configuration)["rootfs"]["diff_ids"]
        layers = [source.getmember(name) for name in manifest["Layers"]]
        if [f"sha256:{Path(layer.name).stem}" for layer in layers] != digests or not {*digests} & {*present}:
            return False
        described = [
            _descriptor(_LAYER, *pair) for pair in zip(digests, (each.size for each in layers), strict=True)
        ]
        with tarfile.open(thin, "w") as target:
            content = {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": _add_blob(target, _CONFIGURATION, configuration),
                "layers": described,
            }
            described_manifest = _add_blob(target, _MANIFEST, json.dumps(content).encode())
            described_manifest["annotations"] = {_NAME: reference}
            index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [described_manifest]}
            _add(target, "index.json", json.dumps(index).encode())
            _add(target, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
            for digest, layer in zip(digests, layers, strict=True):
                if digest not in present:
                    entry = tarfile.TarInfo(_blob_name(digest))
                    entry.size = layer.size
                    target.addfile(entry, source.extractfile(layer))
    return True


def _add_blob(target: tarfile.TarFile, kind: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add(target, _blob_name(digest), content)
    return _descriptor(kind, digest, len(content))


def _add(target: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    target.addfile(entry, io.BytesIO(content))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest, "size": size}


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _content(source: tarfile.TarFile, name: str) -> bytes:
    file = source.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()
