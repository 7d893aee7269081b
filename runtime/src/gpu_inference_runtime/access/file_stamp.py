"""Detects that a mounted file has new content."""

import os

Stamp = tuple[int, int, int]


def file_stamp(path: str) -> Stamp:
    """Return a stamp that changes with the content of a file.

    A Secret or ConfigMap volume replaces a link, so that the path leads to another file. An editor rewrites
    the same file in place.

    Args:
        path: the file, as text: each request looks at the keys, and a `Path` takes ten times as long.

    Raises:
        OSError: the file does not exist, or is not accessible.
    """
    status = os.stat(path)  # noqa: PTH116  (see above)
    return (status.st_mtime_ns, status.st_ino, status.st_size)
