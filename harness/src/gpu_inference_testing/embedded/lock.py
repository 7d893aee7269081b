"""One cluster is changed by one command at a time: a lock file that leaves nothing behind."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpu_inference.progress import Progress


@contextmanager
def exclusive(path: Path, busy: str, progress: Progress) -> Iterator[None]:
    """Hold the lock `path`; while another process holds it, say `busy` and wait.

    The file and, when it is then empty, its folder are removed at the end.

    Raises:
        OSError: the folder cannot be written to.
    """
    descriptor = _acquire(path, busy, progress)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        with contextlib.suppress(OSError):  # Not empty, or a mount point: then it stays.
            path.parent.rmdir()


def _acquire(path: Path, busy: str, progress: Progress) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # Its last user removed the folder in between.
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with progress.step(busy):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Who held it before us removed the file: what we locked may not be what the next one finds.
            if _same(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
