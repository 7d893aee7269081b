"""Decides whether a request may score and read the specification: the settings choose keys or tokens."""

from collections.abc import Mapping
from typing import Protocol

from gpu_inference_runtime.http import refusals
from gpu_inference_runtime.http.refusals import RefusedError
from gpu_inference_runtime.settings import Settings

NO_HEADER = "Unauthorized, no Auth Header"


class IssuerUnknownError(Exception):
    """Nothing is known of the token issuer yet, so no token can be checked."""


class Authorization(Protocol):
    """Checks the `Authorization` header of a request."""

    def refusal(self, authorization: str | None) -> str | None:
        """Return why a request with this header is refused; None if it may score.

        Raises:
            IssuerUnknownError: no token can be checked yet.
        """


class Access:
    """Decides whether a request may pass, by the keys or tokens in the settings."""

    def __init__(self, settings: Settings) -> None:
        self._authorization = _authorization(settings)
        self._reason = "token" if settings.asks_for_token else "key"
        # Whether every request may pass, and whether a check may have to wait for the token issuer.
        self.is_free = self._authorization is None
        self.may_wait = settings.asks_for_token

    def refusal(self, headers: Mapping[bytes, bytes]) -> RefusedError | None:
        """Return the refusal of a request with these headers (lower-case names); None if it may pass."""
        if self._authorization is None:
            return None
        given = headers.get(b"authorization")
        try:
            why = self._authorization.refusal(None if given is None else given.decode("latin-1"))
        except IssuerUnknownError:
            return refusals.issuer_unknown()
        return refusals.unauthorized(self._reason, why) if why else None


def bearer(authorization: str) -> str:
    """Return what follows `Bearer`; empty if the header has another scheme.

    >>> bearer("Bearer abc")
    'abc'
    """
    scheme, _, credential = authorization.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _authorization(settings: Settings) -> Authorization | None:
    """Return the check that the settings ask for; None if every request may score."""
    # Both import this module. Besides, tokens need cryptography, memory that other services do not need.
    if settings.asks_for_token:
        from gpu_inference_runtime.access.tokens import tokens

        return tokens(settings)
    if settings.keys_directory:
        from gpu_inference_runtime.access.keys import Keys

        return Keys(settings.keys_directory)
    return None
