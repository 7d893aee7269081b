"""The service's two keys: read from files, read again when the files change, compared in constant time."""

import hmac
import logging
import threading
from pathlib import Path

from gpu_inference_runtime.access.authorization import NO_HEADER, bearer

KEY_FILES = ("primaryKey", "secondaryKey")

log = logging.getLogger("gpu_inference")

# What tells one content of a file from the next: a Secret volume swaps a link, an editor rewrites in place.
Stamp = tuple[int, int, int]


class Keys:
    """Knows whether a request may score. Without a readable key in the folder, none may."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Stamp, bytes]] = {}

    def refusal(self, authorization: str | None) -> str | None:
        """Return why a request with this `Authorization` header is refused, or None when its key is right."""
        if not authorization:
            return NO_HEADER
        # HTTP headers are bytes that WSGI shows as Latin-1.
        key = bearer(authorization).encode("latin-1", errors="replace")
        if not key:
            return "Unauthorized, the Authorization header must be 'Bearer KEY'"
        # Every key is compared, whichever matches, so that the time does not tell which one did.
        matches = [hmac.compare_digest(key, known) for known in self._current()]
        return None if any(matches) else "Unauthorized, the key is not one of this service's"

    def _current(self) -> list[bytes]:
        return [key for name in KEY_FILES if (key := self._read(name))]

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        with self._lock:
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
                known = self._known.get(name)
                if known is None or known[0] != stamp:
                    known = (stamp, path.read_bytes().strip())
                    self._known[name] = known
                    log.info("Read the key file %s%s", path, "" if known[1] else ", which is empty")
            except OSError as error:
                if self._known.pop(name, None):
                    log.warning("The key file %s can no longer be read: %s", path, error.strerror)
                return None
            return known[1]
