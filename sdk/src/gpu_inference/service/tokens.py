"""Tokens for services that require a token instead of a key, issued by the cluster where possible."""

import json
from dataclasses import dataclass
from datetime import datetime

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.objects import Object, Objects

# docs/interfaces.md, "environment variables for tokens".
_PREFIX = "GPU_INFERENCE_TOKEN_"
_API_SERVER = "https://kubernetes.default.svc/"
_ACCOUNT = "system:serviceaccount:"
# Fraction of a token's lifetime after which clients should fetch the next one, as in v1.
_REFRESH_AFTER = 0.8


@dataclass(frozen=True)
class AccessToken:
    """The result of the SDK's `get_access_token`; times are seconds since 1970 (UTC)."""

    access_token: str
    token_type: str
    refresh_after: int
    expiry_on: int

    def __repr__(self) -> str:
        """Omit the token, so that it does not appear in logs and tracebacks."""
        return f"AccessToken(expiry_on={self.expiry_on})"


@dataclass(frozen=True)
class TokenCheck:
    """What a service requires of a token."""

    issuer: str | None
    """None: the cluster itself, whatever its issuer URL is."""
    audience: str
    subjects: tuple[str, ...]

    @property
    def account(self) -> tuple[str, str] | None:
        """Namespace and name of the first allowed ServiceAccount; None if the cluster cannot issue tokens."""
        if self.issuer is not None:
            return None
        for subject in self.subjects:
            namespace, colon, name = subject.removeprefix(_ACCOUNT).partition(":")
            if subject.startswith(_ACCOUNT) and colon:
                return namespace, name
        return None

    @property
    def instruction(self) -> str:
        """How to get a token, in a sentence."""
        if self.account:
            namespace, name = self.account
            return f"Get one: kubectl create token {name} --namespace {namespace} --audience {self.audience}"
        issuer = self.issuer or "the cluster's own issuer"
        subjects = ", ".join(self.subjects)
        return f"Get one from {issuer} for the audience {self.audience} and one of the subjects: {subjects}"


def token_check(deployment: Object) -> TokenCheck | None:
    """Return what a service requires of a token, or None if it requires none."""
    (scoring,) = (
        container
        for container in deployment["spec"]["template"]["spec"]["containers"]
        if container["name"] == "scoring"
    )
    variables = {
        variable["name"].removeprefix(_PREFIX): variable.get("value", "")
        for variable in scoring.get("env", [])
        if variable["name"].startswith(_PREFIX)
    }
    if not variables:
        return None
    issued_by_cluster = variables.get("JWKS_URL", "").startswith(_API_SERVER)
    return TokenCheck(
        issuer=None if issued_by_cluster else variables["ISSUER"],
        audience=variables["AUDIENCE"],
        subjects=tuple(json.loads(variables["ALLOWED_SUBJECTS"])),
    )


def new_token(objects: Objects, deployment: Object) -> AccessToken:
    """Request a token from the cluster for the first ServiceAccount that may score.

    The kubeconfig's user needs the permission `create serviceaccounts/token` for that ServiceAccount.

    Raises:
        GpuInferenceError: the service requires no token, or one that the cluster cannot issue.
    """
    name = deployment["metadata"]["name"]
    check = token_check(deployment)
    if check is None:
        raise GpuInferenceError(
            f"The service {name} requires no token: its deployment.token_auth_enabled is false."
        )
    if check.account is None:
        raise GpuInferenceError(
            f"The service {name} requires a token that this cluster cannot issue.", check.instruction
        )
    status = objects.account_token(*check.account, check.audience)
    return _access_token(status)


def _access_token(status: Object) -> AccessToken:
    expiry = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
    now = datetime.now().timestamp()
    return AccessToken(
        access_token=status["token"],
        token_type="Bearer",
        refresh_after=int(now + (expiry - now) * _REFRESH_AFTER),
        expiry_on=int(expiry),
    )
