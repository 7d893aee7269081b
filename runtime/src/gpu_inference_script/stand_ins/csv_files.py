"""Growing CSV files in a folder, by day, with limits for the size of each file and of all files together.

Every process has files of its own, named after it, because replicas may share a volume. When space is needed,
the oldest files are removed first, whichever process wrote them.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

MEBIBYTE = 2**20
# Scripts use one or two. Each header of a collection needs a file.
_MAX_OPEN = 64


class TooLargeError(Exception):
    """Rows do not fit into a file."""


class _OpenFile:
    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = 0

    def append(self, data: bytes) -> None:
        """Write all of the data, or nothing."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        except OSError:
            # Remove a partly written line.
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)


class CsvFiles:
    """The files below a folder that this process writes to. Not thread-safe.

    Args:
        folder: contains only these files; created if it is missing.
        owner: part of the files' names; no other process may use it at the same time.
        file_bytes: largest size of a file.
        total_bytes: largest size of all files below the folder together; at least twice `file_bytes`.
    """

    def __init__(self, folder: Path, owner: str, file_bytes: int, total_bytes: int) -> None:
        self._folder = folder
        self._owner = owner
        self._file_bytes = file_bytes
        self._total_bytes = total_bytes
        self._open: "Dict[Tuple[Tuple[str, ...], bytes], _OpenFile]" = {}
        self._numbers: "Dict[Path, int]" = {}
        self._total: "Optional[int]" = None

    def append(self, place: "Tuple[str, ...]", header: bytes, rows: bytes) -> None:
        """Append rows to a CSV file with a given header, in today's folder.

        Args:
            place: the folders below the main folder, and last the beginning of the file's name.
            header: the header line; may be empty.
            rows: the rows.

        Raises:
            TooLargeError: the rows exceed the size of a file.
            OSError: the rows cannot be written; none of them was.
        """
        if len(header) + len(rows) > self._file_bytes:
            raise TooLargeError
        day = self._folder.joinpath(*place[:-1], *time.strftime("%Y %m %d", time.gmtime()).split())
        file = self._open.get((place, header))
        if file is None or not self._takes(file, day, rows):
            if len(self._open) >= _MAX_OPEN:
                self.close_all()
            self._close(place, header)
            self._make_room(len(header) + len(rows), measure=True)
            file = self._open[place, header] = self._create(day, place[-1])
            self._add(file, header)
        else:
            self._make_room(len(rows))
        self._add(file, rows)

    def _takes(self, file: _OpenFile, day: Path, rows: bytes) -> bool:
        return (
            file.path.parent == day
            and file.size + len(rows) <= self._file_bytes
            # Another replica may have removed the file as the oldest.
            and os.fstat(file.descriptor).st_nlink > 0
        )

    def _create(self, day: Path, name: str) -> _OpenFile:
        day.mkdir(parents=True, exist_ok=True)
        # A restarted container has the same name as before. Do not touch its earlier files.
        for number in range(self._numbers.get(day, 0) + 1, 2**31):
            path = day / f"{name}.{self._owner}.{number}.csv"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o664)
            except FileExistsError:
                continue
            self._numbers[day] = number
            return _OpenFile(path, descriptor)
        raise AssertionError("unreachable: there are more numbers than files")

    def _add(self, file: _OpenFile, data: bytes) -> None:
        file.append(data)
        self._total = (self._total or 0) + len(data)

    def _close(self, place: "Tuple[str, ...]", header: bytes) -> None:
        file = self._open.pop((place, header), None)
        if file:
            # A file server may report an error only now; the descriptor is closed anyway.
            with contextlib.suppress(OSError):
                os.close(file.descriptor)

    def close_all(self) -> None:
        """Close all files; the next rows go to new ones."""
        for place, header in list(self._open):
            self._close(place, header)

    def _make_room(self, needed: int, *, measure: bool = False) -> None:
        """Remove the oldest files until there is enough space, plus that of one file, to do this rarely."""
        if self._total is not None and not measure and self._total + needed <= self._total_bytes:
            return
        files = sorted(self._all_files())
        self._total = sum(size for _, _, size in files)
        if self._total + needed <= self._total_bytes:
            return
        own = {file.path for file in self._open.values()}
        for _, path, size in files:
            if self._total + max(needed, self._file_bytes) <= self._total_bytes:
                return
            if path not in own:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                self._total -= size
        if self._total + needed > self._total_bytes:
            # Only open files are left. Close them, so that the next rows can remove them.
            self.close_all()
            raise OSError(f"all {self._total_bytes // MEBIBYTE} MiB are taken by files that are in use")

    def _all_files(self) -> "Iterator[Tuple[float, Path, int]]":
        """Yield modification time, path and size of each file."""
        for path in self._folder.rglob("*.csv"):
            # Another replica may remove the file at this moment.
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                yield status.st_mtime, path, status.st_size
