"""Growing CSV files in a folder by day, none larger than a limit, all of them together within another.

Every process has files of its own, named after it: replicas may share a volume. The oldest files go first
when room is needed, whichever process wrote them.
"""

import contextlib
import os
import time
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple

MEBIBYTE = 2**20
# Scripts have one or two; each header of a collection needs one.
_MOST_OPEN = 64


class TooLargeError(Exception):
    """What should be written does not fit into a file."""


class _OpenFile:
    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = 0

    def append(self, data: bytes) -> None:
        """Write all of the data or nothing of it."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        except OSError:
            # Half a line would be a wrong line.
            with contextlib.suppress(OSError):
                os.ftruncate(self.descriptor, self.size)
            raise
        self.size += len(data)


class CsvFiles:
    """The files below a folder that this process writes to. For one thread.

    Args:
        folder: holds nothing but these files; made when it is missing.
        owner: part of the files' names, not used by another process at the same time.
        file_bytes: the largest that a file gets.
        total_bytes: the most that all files below the folder take together, at least twice as much.
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
        """Write rows under a header, which may be empty, to a CSV file in the day's folder of a place.

        The last part of the place is no folder but what the file's name begins with.

        Raises:
            TooLargeError: they exceed the size of a file.
            OSError: they cannot be written; nothing of them was.
        """
        if len(header) + len(rows) > self._file_bytes:
            raise TooLargeError
        day = self._folder.joinpath(*place[:-1], *time.strftime("%Y %m %d", time.gmtime()).split())
        file = self._open.get((place, header))
        if file is None or not self._takes(file, day, rows):
            if len(self._open) >= _MOST_OPEN:
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
            # Another replica may have removed it for being the oldest.
            and os.fstat(file.descriptor).st_nlink > 0
        )

    def _create(self, day: Path, name: str) -> _OpenFile:
        day.mkdir(parents=True, exist_ok=True)
        # A restarted container has the name of the one before, whose files stay as they are.
        for number in range(self._numbers.get(day, 0) + 1, 2**31):
            path = day / f"{name}.{self._owner}.{number}.csv"
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o664)
            except FileExistsError:
                continue
            self._numbers[day] = number
            return _OpenFile(path, descriptor)
        raise AssertionError("unreachable: numbers do not end")

    def _add(self, file: _OpenFile, data: bytes) -> None:
        file.append(data)
        self._total = (self._total or 0) + len(data)

    def _close(self, place: "Tuple[str, ...]", header: bytes) -> None:
        file = self._open.pop((place, header), None)
        if file:
            # A file server may tell only now that it is away; the descriptor is gone all the same.
            with contextlib.suppress(OSError):
                os.close(file.descriptor)

    def close_all(self) -> None:
        """Close all files; the next rows go to new ones."""
        for place, header in list(self._open):
            self._close(place, header)

    def _make_room(self, needed: int, *, measure: bool = False) -> None:
        """Remove the oldest files until there is room, and for one file more, so that this is not often."""
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
            # Only open files are left, which then end: the next rows can remove them.
            self.close_all()
            raise OSError(f"all {self._total_bytes // MEBIBYTE} MiB are taken by files that are in use")

    def _all_files(self) -> "Iterator[Tuple[float, Path, int]]":
        """Yield time of the last change, path and size of each file."""
        for path in self._folder.rglob("*.csv"):
            # Another replica may remove it at this moment.
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                yield status.st_mtime, path, status.st_size
