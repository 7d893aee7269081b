"""Cache folders that are created atomically and are safe for concurrent processes.

The creating process holds the lock of the parent folder, fills a temporary folder, and renames it when it is
complete. An interrupted build therefore leaves no partial entry.
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
"""Name prefix of folders that are still being filled; the next lock holder removes leftover ones."""


@contextmanager
def file_lock(lock: Path, waiting: str, progress: Progress) -> Iterator[None]:
    """Hold an exclusive lock on a file; create the file and its folder if they do not exist.

    The operating system releases the lock when the process ends, even if it is killed. The holder may remove
    the file and its folder.

    Args:
        lock: the lock file.
        waiting: title of the progress step that is shown while another process holds the lock.
        progress: receives that step.

    Raises:
        OSError: the file cannot be written.
    """
    held = FileLock(lock)
    try:
        _acquire(held, timeout_seconds=0)
    except Timeout:
        with progress.step(waiting):
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
            # The previous holder removed the folder between our steps: try again.
            if Path(lock.lock_file).parent.is_file():
                raise


@contextmanager
def locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of a cache folder, create the folder if needed, and remove leftovers of killed processes.

    Raises:
        GpuInferenceError: the folder cannot be written to.
    """
    waiting = f"Waiting for another process that fills {folder}"
    with ExitStack() as stack:
        with _write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(file_lock(folder / ".lock", waiting, progress))
        for leftover in folder.glob(UNFINISHED + "*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


@contextmanager
def new_entry(entry: Path) -> Iterator[Path]:
    """Yield an empty folder to fill. It becomes `entry` if the block succeeds and is removed if it fails.

    The caller must hold the lock of the parent folder (see `locked`).

    Example:
        with locked(folder, progress), new_entry(folder / "tool-1.0") as unfinished:
            (unfinished / "tool").write_bytes(content)

    Raises:
        GpuInferenceError: the disk is full, or the folder cannot be written to.
    """
    with _write_errors(entry.parent):
        unfinished = Path(tempfile.mkdtemp(prefix=f"{UNFINISHED}{entry.name}-", dir=entry.parent))
        try:
            yield unfinished
            # mkdtemp creates private folders; cached files may be read by every user.
            unfinished.chmod(0o755)
            unfinished.rename(entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def raise_if_disk_is_full(output: str) -> None:
    """Raise a GpuInferenceError if another program's output says that the disk or the quota is full."""
    for line in output.splitlines():
        if "no space left on device" in line.lower() or "disk quota exceeded" in line.lower():
            raise _disk_is_full(line.strip())


def _disk_is_full(where: str) -> GpuInferenceError:
    return GpuInferenceError(
        f"The disk is full: {where}.",
        "Free some space, or use a folder on a larger disk: export GPU_INFERENCE_CACHE_DIR=FOLDER",
    )


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    """Convert an OSError into a GpuInferenceError that names the cache folder."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_is_full(str(folder)) from error
        raise GpuInferenceError(
            f"The cache folder {folder} cannot be written to: {error.strerror or error} ({error.filename}).",
            "Use another folder: export GPU_INFERENCE_CACHE_DIR=FOLDER",
        ) from error
