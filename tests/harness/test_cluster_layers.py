"""Which layers of an image are brought to a node that has some of them."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from gpu_inference_testing.embedded.layers import write_thin_archive

NAME = "docker.io/library/thin:1"
LAYERS = [b"the base", b"the runtime", b"a script"]


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def docker_archive(path: Path, names: list[str]) -> Path:
    """Write an image with these names of its layers as `docker save` does."""
    configuration = json.dumps({"rootfs": {"diff_ids": [digest(layer) for layer in LAYERS]}}).encode()
    manifest = [{"Config": "config.json", "RepoTags": [NAME], "Layers": names}]
    files = {"config.json": configuration, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(path, "w") as archive:
        for name, content in {**files, **dict(zip(names, LAYERS, strict=True))}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An image as buildah writes it."""
    return docker_archive(tmp_path / "image.tar", [f"{digest(layer)[7:]}.tar" for layer in LAYERS])


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_layers_that_are_there_are_left_out_and_named(archive: Path, tmp_path: Path) -> None:
    thin = tmp_path / "thin.tar"
    assert write_thin_archive(archive, thin, NAME, {digest(LAYERS[0]), digest(LAYERS[1]), "sha256:other"})
    files = contents(thin)
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}
    assert all(name == f"blobs/sha256/{digest(content)[7:]}" for name, content in blobs.items())
    assert [layer for layer in LAYERS if layer in blobs.values()] == [b"a script"]
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["annotations"] == {"io.containerd.image.name": NAME}
    manifest = json.loads(blobs[f"blobs/sha256/{described['digest'][7:]}"])
    assert [(layer["digest"], layer["size"]) for layer in manifest["layers"]] == [
        (digest(layer), len(layer)) for layer in LAYERS
    ]
    assert digest(contents(archive)["config.json"]) == manifest["config"]["digest"]


def test_an_image_without_a_known_layer_stays_as_it_is(archive: Path, tmp_path: Path) -> None:
    assert not write_thin_archive(archive, tmp_path / "thin.tar", NAME, {"sha256:other"})


def test_layers_that_are_not_named_by_their_digests_stay(tmp_path: Path) -> None:
    archive = docker_archive(tmp_path / "image.tar", ["1/layer.tar", "2/layer.tar", "3/layer.tar"])
    assert not write_thin_archive(archive, tmp_path / "thin.tar", NAME, {digest(LAYERS[0])})


@pytest.mark.parametrize("content", [b"", b"cut short"])
def test_a_damaged_archive_is_left_to_containerd(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    assert not write_thin_archive(tmp_path / "image.tar", tmp_path / "thin.tar", NAME, {digest(LAYERS[0])})
