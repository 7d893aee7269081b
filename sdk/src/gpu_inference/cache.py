"""Folders that are made once and kept: whole or absent, however their making ends and whoever else tries.

Whoever makes one holds the lock of the folder around it, makes it under another name, and renames it.
"""

import errno
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

UNFINISHED = ".unfinished-"
"""How the names of folders begin that are being made; the next holder of the lock removes what is left."""


@contextmanager
def locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Make the folder if need be and hold its lock; wait, and say so, while another process holds it.

    The lock goes with the process that holds it, however that ends; leftovers of a killed one are removed.

    Raises:
        GpuInferenceError: the folder cannot be written to.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"Waiting for another process that fills {folder}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in folder.glob(UNFINISHED + "*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


@contextmanager
def new_entry(entry: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which becomes `entry` if the block succeeds and else disappears.

    The lock of the folder that `entry` is to lie in must be held.

    Raises:
        GpuInferenceError: the disk is full, or the folder cannot be written to.
    """
    with _explained(entry.parent):
        unfinished = Path(tempfile.mkdtemp(prefix=f"{UNFINISHED}{entry.name}-", dir=entry.parent))
        try:
            yield unfinished
            # mkdtemp's folders are the maker's alone; what is cached may be read by all.
            unfinished.chmod(0o755)
            unfinished.rename(entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def raise_if_disk_is_full(said: str) -> None:
    """Turn what another program said into our own error where it ran out of room; else do nothing."""
    for line in said.splitlines():
        if "no space left on device" in line.lower() or "disk quota exceeded" in line.lower():
            raise _disk_is_full(line.strip())


def _disk_is_full(where: str) -> GpuInferenceError:
    return GpuInferenceError(
        f"The disk is full: {where}.",
        "Free some, or name a folder on a larger disk: export GPU_INFERENCE_CACHE_DIR=FOLDER",
    )


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_is_full(str(folder)) from error
        raise GpuInferenceError(
            f"The cache folder {folder} cannot be written to: {error.strerror or error} ({error.filename}).",
            "Name another one: export GPU_INFERENCE_CACHE_DIR=FOLDER",
        ) from error
