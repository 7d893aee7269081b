"""Who may score and read the service's specification: those with a key or a token, where one is asked for."""

from collections.abc import Mapping

from gpu_inference_runtime.access.authorization import Authorization, IssuerUnknownError
from gpu_inference_runtime.access.keys import Keys
from gpu_inference_runtime.http import refusals
from gpu_inference_runtime.http.refusals import RefusedError
from gpu_inference_runtime.settings import Settings


class Access:
    """Decides whether a request may pass, by the settings' keys or tokens."""

    def __init__(self, settings: Settings) -> None:
        self._authorization = _authorization(settings)
        self._reason = "token" if settings.asks_for_token else "key"
        # Whether every request may pass, and whether a decision may have to wait for the issuer of tokens.
        self.is_free = self._authorization is None
        self.may_wait = settings.asks_for_token

    def refusal(self, headers: Mapping[bytes, bytes]) -> RefusedError | None:
        """Return how a request with these headers (names in lower case) is refused; None if it may pass."""
        if self._authorization is None:
            return None
        given = headers.get(b"authorization")
        try:
            why = self._authorization.refusal(None if given is None else given.decode("latin-1"))
        except IssuerUnknownError:
            return refusals.issuer_unknown()
        return refusals.unauthorized(self._reason, why) if why else None


def _authorization(settings: Settings) -> Authorization | None:
    """Return what decides whether a request may score; None where all may."""
    if settings.asks_for_token:
        # Imported here: cryptography is memory that other services do not need.
        from gpu_inference_runtime.access.tokens import tokens

        return tokens(settings)
    return Keys(settings.keys_directory) if settings.keys_directory else None
