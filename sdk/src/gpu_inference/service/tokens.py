"""Tokens for a service that asks for them instead of a key: what it wants, and one of the cluster's own."""

import json
from dataclasses import dataclass
from datetime import datetime

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.objects import Object, Objects

# docs/interfaces.md, "environment variables for tokens".
_PREFIX = "GPU_INFERENCE_TOKEN_"
_API_SERVER = "https://kubernetes.default.svc/"
_ACCOUNT = "system:serviceaccount:"
# v1 told its clients to fetch the next token long before the last one ended.
_REFRESH_AFTER = 0.8


@dataclass(frozen=True)
class AccessToken:
    """What `get_access_token` of the SDK returned; times are seconds since 1970."""

    access_token: str
    token_type: str
    refresh_after: int
    expiry_on: int

    def __repr__(self) -> str:
        """Without the token: it ends up in logs and tracebacks."""
        return f"AccessToken(expiry_on={self.expiry_on})"


@dataclass(frozen=True)
class TokenCheck:
    """What a service wants of a token."""

    issuer: str | None
    """None: the cluster's own, whatever it is called."""
    audience: str
    subjects: tuple[str, ...]

    @property
    def account(self) -> tuple[str, str] | None:
        """Namespace and name of the first ServiceAccount whose token the cluster could make."""
        if self.issuer is not None:
            return None
        for subject in self.subjects:
            namespace, colon, name = subject.removeprefix(_ACCOUNT).partition(":")
            if subject.startswith(_ACCOUNT) and colon:
                return namespace, name
        return None

    @property
    def way(self) -> str:
        """How a person gets a token, in a sentence."""
        if self.account:
            namespace, name = self.account
            return f"Get one: kubectl create token {name} --namespace {namespace} --audience {self.audience}"
        whose = f"of {self.issuer}" if self.issuer else "of the cluster's own issuer"
        return f"Get one {whose} for the audience {self.audience} as one of: {', '.join(self.subjects)}"


def token_check(deployment: Object) -> TokenCheck | None:
    """Return what a service wants of a token, or None when it asks for none."""
    (scoring,) = (
        container
        for container in deployment["spec"]["template"]["spec"]["containers"]
        if container["name"] == "scoring"
    )
    told = {
        variable["name"].removeprefix(_PREFIX): variable.get("value", "")
        for variable in scoring.get("env", [])
        if variable["name"].startswith(_PREFIX)
    }
    if not told:
        return None
    of_the_cluster = told.get("JWKS_URL", "").startswith(_API_SERVER)
    return TokenCheck(
        issuer=None if of_the_cluster else told["ISSUER"],
        audience=told["AUDIENCE"],
        subjects=tuple(json.loads(told["ALLOWED_SUBJECTS"])),
    )


def new_token(objects: Objects, deployment: Object) -> AccessToken:
    """Have the cluster make a token for the first ServiceAccount that may score.

    Who may do this: create on serviceaccounts/token of that ServiceAccount.

    Raises:
        GpuInferenceError: the service asks for no token, or for one that the cluster cannot make.
    """
    name = deployment["metadata"]["name"]
    check = token_check(deployment)
    if check is None:
        raise GpuInferenceError(
            f"The service {name} asks for no token: deployment.token_auth_enabled is false for it."
        )
    if check.account is None:
        raise GpuInferenceError(f"The service {name} asks for a token that is not made here.", check.way)
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
