"""Unpacks an archive into a folder, which it cannot leave."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from report import FetchError, megabytes

CHUNK = 1 << 20


def unpack(archive: Path, kind: str, target: Path, most: int) -> int:
    """Write an archive's files into a folder and return their size in bytes.

    Raises:
        FetchError: it is no such archive, holds more than that, or something that would leave the folder.
    """
    try:
        return _unpack(archive, kind, target, most)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        raise FetchError(f"It is no {kind} archive that can be unpacked: {error}.") from error


def _members(archive: Path, kind: str) -> Iterator[tuple[str, bool, bool, IO[bytes] | None]]:
    """Yield name, whether it is plain (a file or folder), whether executable, and a file's content."""
    if kind == "zip":
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                mode = entry.external_attr >> 16
                plain = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
                content = opened.open(entry) if plain and not entry.is_dir() else None
                yield entry.filename, plain, bool(mode & 0o100), content
    else:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                yield member.name, member.isreg() or member.isdir(), bool(member.mode & 0o100), content


def _unpack(archive: Path, kind: str, target: Path, most: int) -> int:
    written = 0
    for name, plain, executable, content in _members(archive, kind):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise FetchError(f"The archive would write outside of its folder ({name!r}): make it anew.")
        if not path.parts or path.parts[0] == "__MACOSX" or path.name.startswith("._"):
            # The folder itself; and what Macs add to archives, which would count as entries of a model.
            continue
        if not plain:
            raise FetchError(f"The archive holds a link or a device ({name!r}): pack plain files only.")
        place = target / path
        if content is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            while chunk := content.read(CHUNK):
                written += len(chunk)
                if written > most:
                    raise FetchError(
                        f"The archive unpacks to more than {megabytes(most)}: raise"
                        " download.sizeLimitGi if it is meant to."
                    )
                file.write(chunk)
        place.chmod(0o755 if executable else 0o644)
    return written


def in_one_entry(folder: Path, entry: str | None) -> Path:
    """Return the one file or folder that an unpacked archive is, within a folder that holds nothing else."""
    found = [each.name for each in folder.iterdir()]
    if entry is None:
        if len(found) != 1:
            raise FetchError(
                f"The archive holds {len(found)} entries at its top, not one: pack them in one folder, or"
                " give that folder's name as the model's entry."
            )
        return folder
    if found == [entry] and (folder / entry).is_dir():
        return folder
    around = folder.with_name("around")
    shutil.rmtree(around, ignore_errors=True)
    around.mkdir()
    folder.rename(around / entry)
    return around
