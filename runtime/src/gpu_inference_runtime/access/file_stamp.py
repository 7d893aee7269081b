"""Tells whether a mounted file still has the content that was read."""

import os

Stamp = tuple[int, int, int]


def file_stamp(path: str) -> Stamp:
    """Return what differs once a file has another content.

    A Secret or ConfigMap volume swaps a link, so that the path leads to another file. An editor rewrites the
    same file in place.

    Args:
        path: the file, as text: each request looks at the keys, and a `Path` takes ten times as long.

    Raises:
        OSError: the file is not there, or may not be looked at.
    """
    status = os.stat(path)  # noqa: PTH116  (see above)
    return (status.st_mtime_ns, status.st_ino, status.st_size)
