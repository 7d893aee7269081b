"""The service's two keys: read from files, read again when they change, compared in constant time."""

import hmac
import logging
import threading
from pathlib import Path

from gpu_inference_runtime.access.authorization import NO_HEADER, bearer
from gpu_inference_runtime.access.file_stamp import Stamp, file_stamp

KEY_FILES = ("primaryKey", "secondaryKey")

log = logging.getLogger("gpu_inference")


class Keys:
    """Checks requests for one of the keys. Without a readable key in the folder, every request is refused."""

    def __init__(self, folder: Path) -> None:
        # Text, not Path: each request looks at the files.
        self._paths = [str(folder / name) for name in KEY_FILES]
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Stamp, bytes]] = {}

    def refusal(self, authorization: str | None) -> str | None:
        """Return why a request with this `Authorization` header is refused; None if its key is right."""
        if not authorization:
            return NO_HEADER
        # The header's bytes were decoded as Latin-1.
        key = bearer(authorization).encode("latin-1", errors="replace")
        if not key:
            return "Unauthorized, the Authorization header must be 'Bearer KEY'"
        # Compare with every key, so that the time does not reveal which one matched.
        right = False
        for path in self._paths:
            known = self._read(path)
            if known and hmac.compare_digest(key, known):
                right = True
        return None if right else "Unauthorized, the key is not one of this service's"

    def _read(self, path: str) -> bytes | None:
        with self._lock:
            try:
                stamp = file_stamp(path)
                known = self._known.get(path)
                if known is None or known[0] != stamp:
                    known = (stamp, Path(path).read_bytes().strip())
                    self._known[path] = known
                    log.info("Read the key file %s%s", path, "" if known[1] else ", which is empty")
            except OSError as error:
                if self._known.pop(path, None):
                    log.warning("The key file %s can no longer be read: %s", path, error.strerror)
                return None
            return known[1]
