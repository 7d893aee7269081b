"""The token issuer: its name and its public keys, from a JSON Web Key Set (JWKS).

Only keys for asymmetric signatures are accepted: a server that can check tokens must not be able to make
them.
"""

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import jwt

from gpu_inference_runtime.access.authorization import IssuerUnknownError
from gpu_inference_runtime.access.file_stamp import Stamp, file_stamp

# The signature algorithms (RFC 7518, RFC 8037) by key type or curve. A key may name the one it is for.
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
    "Ed448": ("EdDSA",),
}

log = logging.getLogger("gpu_inference")


class IssuerError(Exception):
    """The issuer's keys cannot be fetched or read; the text is part of a log line."""


@dataclass(frozen=True)
class PublicKey:
    """A public key of the issuer, and the algorithms that tokens signed with it may use."""

    key: Any
    algorithms: tuple[str, ...]


@dataclass(frozen=True)
class Issuer:
    """The issuer's name (the `iss` claim of its tokens), and its keys by their ids."""

    name: str
    keys: Mapping[str, PublicKey]


class IssuerSource(Protocol):
    """Provides the current issuer."""

    def current(self, key_id: str) -> Issuer:
        """Return the issuer as known now; look again first if the key id is unknown.

        Raises:
            IssuerUnknownError: nothing is known of the issuer yet.
        """


def read_keys(text: str | bytes) -> dict[str, PublicKey]:
    """Return the usable keys of a JSON Web Key Set by their ids.

    Raises:
        IssuerError: the text is not a key set, or has no usable key.
    """
    try:
        entries = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise IssuerError("it is not a JSON Web Key Set") from None
    if not isinstance(entries, list):
        raise IssuerError("it is not a JSON Web Key Set")
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and (key := _public_key(entry)):
            keys[str(entry["kid"])] = key
    if not keys:
        raise IssuerError("it has no public key with an id (kid) for RSA, EC or EdDSA signatures")
    return keys


def _public_key(entry: dict[str, Any]) -> PublicKey | None:
    """Return the key of one entry; None if it is for another use, of an unknown type, or malformed."""
    # Ignore private keys ("d"): they do not belong in a JWKS, and anyone who reads it could sign with them.
    if not entry.get("kid") or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    algorithms = _ALGORITHMS.get(str(entry.get("crv", entry.get("kty"))), ())
    if "alg" in entry:
        algorithms = tuple(name for name in algorithms if name == entry["alg"])
    if not algorithms:
        return None
    try:
        return PublicKey(jwt.PyJWK(entry, algorithms[0]).key, algorithms)
    except jwt.PyJWTError:
        return None


class IssuerFile:
    """An issuer whose key set is a file, read again when it changes.

    While the file cannot be read, the keys read last stay valid.

    Args:
        name: the issuer's name.
        path: the JSON Web Key Set.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._lock = threading.Lock()
        self._stamp: Stamp | Literal["missing"] | None = None
        self._issuer: Issuer | None = None

    def current(self, key_id: str) -> Issuer:  # noqa: ARG002  (the file is checked for every token anyway)
        """Return the issuer with the keys that are in the file now.

        Raises:
            IssuerUnknownError: the file has never been readable.
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
            consequence = "the keys read before stay valid" if self._issuer else "no token can be checked"
            log.error("The token issuer's keys cannot be read from %s: %s; %s", self._path, why, consequence)
            return
        self._issuer = Issuer(self._name, keys)
        log.info("Read %d key(s) of the token issuer %s from %s", len(keys), self._name, self._path)
