"""Who signs tokens: the issuer's name and the keys that it has published as a JSON Web Key Set.

Only keys for asymmetric signatures are taken: whoever can check a token must not be able to make one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

# What a key may sign with (RFC 7518, RFC 8037), by its kind or its curve; it may say which one it is for.
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
    "Ed448": ("EdDSA",),
}


class IssuerError(Exception):
    """What an issuer publishes cannot be had or read; the text is one sentence for the log."""


@dataclass(frozen=True)
class PublicKey:
    """A key of the issuer, and the algorithms that a token signed with it may name."""

    key: Any
    algorithms: tuple[str, ...]


@dataclass(frozen=True)
class Issuer:
    """The name that stands in the tokens as `iss`, and the keys by their ids."""

    name: str
    keys: Mapping[str, PublicKey]


class IssuerSource(Protocol):
    """Where the issuer is had from."""

    def current(self, key_id: str) -> Issuer:
        """Return the issuer as known now, asked again if it has no such key.

        Raises:
            IssuerUnknownError: nothing is known of it yet.
        """


def read_keys(text: str | bytes) -> dict[str, PublicKey]:
    """Return the usable keys of a JSON Web Key Set by their ids.

    Raises:
        IssuerError: it is no key set, or has no usable key.
    """
    try:
        entries = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise IssuerError("it is no JSON Web Key Set") from None
    if not isinstance(entries, list):
        raise IssuerError("it is no JSON Web Key Set")
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and (key := _public_key(entry)):
            keys[str(entry["kid"])] = key
    if not keys:
        raise IssuerError("it has no public key with an id (kid) for RSA, EC or EdDSA signatures")
    return keys


def _public_key(entry: dict[str, Any]) -> PublicKey | None:
    """Return the key of one entry of a set; None for another use, of a kind unknown here, or damaged."""
    # A private key there is a mistake that signing with it must not be rewarded for.
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
