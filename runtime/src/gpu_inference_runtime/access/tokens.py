"""Checks a request's JSON Web Token: signature, issuer, audience, time and subject.

Clients only learn that a token is not valid. The log says why, but never shows the token.
"""

import logging
from collections.abc import Collection

import jwt
from jwt.types import Options

from gpu_inference_runtime.access.authorization import NO_HEADER, bearer
from gpu_inference_runtime.access.issuer import IssuerFile, IssuerSource
from gpu_inference_runtime.settings import Settings

# Largest difference between the clocks of issuer and server.
_LEEWAY_SECONDS = 30
_OPTIONS: Options = {
    "require": ["exp", "iss", "aud", "sub"],
    "enforce_minimum_key_length": True,
}
_REASONS = {
    jwt.ExpiredSignatureError: "it has expired",
    jwt.ImmatureSignatureError: "it is not valid yet",
    jwt.InvalidAudienceError: "it is for another audience",
    jwt.InvalidIssuerError: "it is from another issuer",
    jwt.InvalidSignatureError: "its signature is wrong",
    jwt.InvalidAlgorithmError: "its algorithm is not one of its key's",
    jwt.InvalidKeyError: "its key is too short",
}

log = logging.getLogger("gpu_inference")


class Tokens:
    """Checks requests for a valid token.

    Args:
        source: provides the issuer's keys.
        audience: the `aud` claim that tokens must carry.
        allowed_subjects: the `sub` claims that may score.
    """

    def __init__(self, source: IssuerSource, audience: str, allowed_subjects: Collection[str]) -> None:
        self._source = source
        self._audience = audience
        self._allowed_subjects = frozenset(allowed_subjects)

    def refusal(self, authorization: str | None) -> str | None:
        """Return why a request with this `Authorization` header is refused; None if its token is valid.

        Raises:
            IssuerUnknownError: no token can be checked yet.
        """
        if not authorization:
            return NO_HEADER
        token = bearer(authorization)
        if not token:
            return "Unauthorized, the Authorization header must be 'Bearer TOKEN'"
        if why := self._invalid_reason(token):
            log.info("Refused a token: %s", why)
            return "Unauthorized, the token is not valid for this service"
        return None

    def _invalid_reason(self, token: str) -> str | None:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            return "it is not a JSON Web Token"
        if not isinstance(key_id, str):
            return "it does not say which key it is signed with (kid)"
        issuer = self._source.current(key_id)
        key = issuer.keys.get(key_id)
        if key is None:
            return "it is signed with a key that is not the issuer's"
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=key.algorithms,
                audience=self._audience,
                issuer=issuer.name,
                leeway=_LEEWAY_SECONDS,
                options=_OPTIONS,
            )
        except jwt.MissingRequiredClaimError as error:
            return f"it lacks the claim {error.claim}"
        except jwt.PyJWTError as error:
            return _REASONS.get(type(error), "its content is malformed")
        # Every workload in a cluster can get a token for any audience.
        if claims["sub"] not in self._allowed_subjects:
            return f"the subject {claims['sub']!r} is not one of the allowed ones"
        return None


def tokens(settings: Settings) -> Tokens:
    """Return the check that the settings ask for."""
    assert settings.token_audience is not None
    return Tokens(_source(settings), settings.token_audience, settings.token_allowed_subjects)


def _source(settings: Settings) -> IssuerSource:
    if settings.token_jwks_file is not None:
        return IssuerFile(settings.token_issuer or "", settings.token_jwks_file)
    # Imported here: a TLS and HTTP client is memory that other services do not need.
    from gpu_inference_runtime.access.issuer_url import IssuerEndpoint, IssuerUrl

    address = IssuerEndpoint(
        keys_url=settings.token_jwks_url or "",
        name=settings.token_issuer,
        discovery_url=settings.token_discovery_url,
        ca_file=settings.token_jwks_ca_file,
        token_file=settings.token_jwks_token_file,
    )
    return IssuerUrl(address.fetch)
