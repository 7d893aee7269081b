"""What those who check the `Authorization` header have in common: keys.py and tokens.py."""

from typing import Protocol

NO_HEADER = "Unauthorized, no Auth Header"


class IssuerUnknownError(Exception):
    """Nothing has been had of the issuer of tokens yet, so that none can be checked."""


class Authorization(Protocol):
    """Knows who may score."""

    def refusal(self, authorization: str | None) -> str | None:
        """Return why a request with this `Authorization` header is refused, or None when it may score.

        Raises:
            IssuerUnknownError: that cannot be told yet.
        """


def bearer(authorization: str) -> str:
    """Return what follows `Bearer`; nothing where the header is of another kind."""
    scheme, _, credential = authorization.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""
