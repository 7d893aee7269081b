"""Folders that are made once and kept: whole or absent, however their making ends and whoever else tries.

Whoever makes one holds the lock of the folder around it, makes it under another name, and renames it.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress

UNFINISHED = ".unfinished-"
"""How the names of folders begin that are being made; the next holder of the lock removes what is left."""


@contextmanager
def exclusive(lock: Path, busy: str, progress: Progress) -> Iterator[None]:
    """Hold a lock file, made with its folder if need be; say `busy` and wait while another process holds it.

    The lock goes with the process that holds it, however that ends. Who holds it may remove the file, and its
    folder.

    Raises:
        OSError: the file cannot be written.
    """
    held = FileLock(lock)
    try:
        _acquire(held, timeout_seconds=0)
    except Timeout:
        with progress.step(busy):
            _acquire(held)
    try:
        yield
    finally:
        held.release()


def _acquire(lock: FileLock, timeout_seconds: float = -1) -> None:
    while True:
        try:
            lock.acquire(timeout=timeout_seconds)
            return
        except (FileNotFoundError, FileExistsError):
            # Its last holder removed the folder while it was looked for, or made, here: once more.
            if Path(lock.lock_file).parent.is_file():
                raise


@contextmanager
def locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Make the folder if need be and hold its lock; leftovers of a process that was killed are removed.

    Raises:
        GpuInferenceError: the folder cannot be written to.
    """
    busy = f"Waiting for another process that fills {folder}"
    with ExitStack() as stack:
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive(folder / ".lock", busy, progress))
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
