"""Walks, hashes and copies a file or folder that goes into an image.

Symbolic links must stay inside the folder; a link that leads out would be broken in the image.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from gpu_inference.errors import GpuInferenceError

# Created by tools; a service does not need them.
_SKIPPED = frozenset({"__pycache__", ".git"})


def walk(root: Path) -> Iterator[Path]:
    """Yield `root` and everything below it in sorted order; do not follow links.

    Raises:
        GpuInferenceError: an entry is unreadable, a link that leads out, or no file, folder or link.
    """
    resolved = root.resolve()

    def below(path: Path) -> Iterator[Path]:
        if path.is_symlink() and path != root:
            _require_link_inside(path, resolved)
        elif path.is_dir():
            yield path
            for child in sorted(path.iterdir()):
                if child.name not in _SKIPPED:
                    yield from below(child)
            return
        elif not path.is_file():
            raise GpuInferenceError(f"{path} is neither a file nor a folder and cannot go into an image.")
        yield path

    try:
        yield from below(root)
    except OSError as error:
        raise GpuInferenceError(f"{error.filename} cannot be read: {error.strerror}.") from error


def digest(root: Path) -> str:
    """Return a SHA-256 of the names, contents, links and execute bits of a file or folder.

    It ignores times, owners and other permission bits, so that a fresh clone has the same digest.
    """
    total = hashlib.sha256()
    for path in walk(root):
        total.update(os.fsencode(path.relative_to(root)) + b"\0")
        if path.is_symlink() and path != root:
            total.update(b"link\0" + os.fsencode(path.readlink()) + b"\0")
        elif path.is_dir():
            total.update(b"folder\0")
        else:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
                executable = bool(os.fstat(file.fileno()).st_mode & stat.S_IXUSR)
            total.update(b"program\0" if executable else b"file\0")
            total.update(content.digest())
    return total.hexdigest()


def copy(root: Path, destination: Path) -> None:
    """Copy a file or folder to `destination`, which must not exist; use hard links if possible."""
    for path in walk(root):
        target = destination / path.relative_to(root)
        if path.is_symlink() and path != root:
            target.symlink_to(path.readlink())
        elif path.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(path.resolve(), target)


def _require_link_inside(link: Path, root: Path) -> None:
    target = link.readlink()
    if target.is_absolute() or not link.resolve().is_relative_to(root):
        raise GpuInferenceError(
            f"{link} is a link to {target}, outside {root}: it would be broken in the image.",
            "Replace it with a copy, or with a relative link inside the folder.",
        )


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # Another file system, or a file system without hard links.
        shutil.copy2(source, target)
