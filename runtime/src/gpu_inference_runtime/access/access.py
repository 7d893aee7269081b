"""Who may score and read the service's specification: those with a key or a token, where one is asked for."""

from gpu_inference_runtime.access.authorization import Authorization, IssuerUnknownError
from gpu_inference_runtime.access.keys import Keys
from gpu_inference_runtime.messages import Request
from gpu_inference_runtime.service import refusals
from gpu_inference_runtime.service.refusals import RefusedError
from gpu_inference_runtime.settings import Settings


class Access:
    """Knows whether a request may pass, by the settings' keys or tokens."""

    def __init__(self, settings: Settings) -> None:
        self._authorization = _authorization(settings)
        self._reason = "token" if settings.asks_for_token else "key"

    def check(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            RefusedError: it has no right key or token, or that cannot be told yet.
        """
        if self._authorization is None:
            return
        try:
            why = self._authorization.refusal(request.headers.get("authorization"))
        except IssuerUnknownError:
            raise refusals.issuer_unknown() from None
        if why:
            raise refusals.unauthorized(self._reason, why)

    def admits(self, request: Request) -> bool:
        """Whether the request may pass."""
        try:
            self.check(request)
        except RefusedError:
            return False
        return True


def _authorization(settings: Settings) -> Authorization | None:
    """Return who knows whether a request may score; None where all may."""
    if settings.asks_for_token:
        # Only here: cryptography is memory that other services do not need.
        from gpu_inference_runtime.access.tokens import tokens

        return tokens(settings)
    return Keys(settings.keys_directory) if settings.keys_directory else None
