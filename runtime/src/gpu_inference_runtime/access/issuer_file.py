"""An issuer whose keys lie in a file, which is read again when it changes."""

import logging
import threading
from pathlib import Path
from typing import Literal

from gpu_inference_runtime.access.authorization import IssuerUnknownError
from gpu_inference_runtime.access.file_stamp import Stamp, file_stamp
from gpu_inference_runtime.access.issuer import Issuer, IssuerError, read_keys

log = logging.getLogger("gpu_inference")


class IssuerFile:
    """Reads a JSON Web Key Set; while what lies there cannot be read, the keys read last stay good."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._lock = threading.Lock()
        self._stamp: Stamp | Literal["missing"] | None = None
        self._issuer: Issuer | None = None

    def current(self, key_id: str) -> Issuer:  # noqa: ARG002  (the file is looked at for every token anyway)
        """Return the issuer with the keys that are in the file now.

        Raises:
            IssuerUnknownError: the file could not be read yet.
        """
        with self._lock:
            try:
                stamp: Stamp | Literal["missing"] = file_stamp(str(self._path))
            except OSError:
                stamp = "missing"
            if stamp != self._stamp:
                self._stamp = stamp
                self._read()
            if self._issuer is None:
                raise IssuerUnknownError
            return self._issuer

    def _read(self) -> None:
        try:
            keys = read_keys(self._path.read_bytes())
        except (OSError, IssuerError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            consequence = "the keys read before stay good" if self._issuer else "no token can be checked"
            log.error("The token issuer's keys cannot be read from %s: %s; %s", self._path, why, consequence)
            return
        self._issuer = Issuer(self._name, keys)
        log.info("Read %d key(s) of the token issuer %s from %s", len(keys), self._name, self._path)
