"""`tokenAuth.*`: whose tokens let a request score, while `deployment.token_auth_enabled` is true."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import KubernetesSection, Switch, Text
from gpu_inference.values.service import Port

GivenText = Annotated[Text, StringConstraints(min_length=1)]


class Jwks(KubernetesSection):
    """Where the keys of the tokens' issuer are published, as a JSON Web Key Set."""

    config_map: Text = Field(
        default="", description="ConfigMap with the issuer's JSON Web Key Set, read again when it changes."
    )
    key: GivenText = Field(default="jwks.json", description="Key of that ConfigMap.")
    url: Text = Field(
        default="", description="URL of the issuer's JSON Web Key Set, with https; asked again every 5 min."
    )
    ca_config_map: Text = Field(
        default="",
        description="ConfigMap whose ca.crt has the authorities for jwks.url; the image's unless given.",
    )
    token_secret: Text = Field(
        default="",
        description="Secret whose token is shown to jwks.url as a bearer token; none unless given.",
    )


class TokenAuth(KubernetesSection):
    """What a token must say, and who vouches for it."""

    cluster_issuer: Switch = Field(
        default=False,
        description="Whether the cluster's own tokens of ServiceAccounts count (kubectl create token).",
    )
    issuer: Text = Field(
        default="",
        description="Who issues the tokens (claim iss); the cluster's own is found out unless given.",
    )
    audience: Text = Field(
        default="", description="Whom the tokens are for (claim aud); the service's name unless given."
    )
    allowed_subjects: list[GivenText] = Field(
        default=[],
        description="Who may score (claim sub), as in system:serviceaccount:NAMESPACE:NAME; must be given.",
    )
    jwks: Jwks = Field(default_factory=Jwks, description="The issuer's keys, unless clusterIssuer is true.")
    egress_ports: list[Port] = Field(
        default=[],
        description="TCP ports of who publishes the keys; jwks.url's, or 443 and 6443, unless given.",
    )
    egress_cidrs: list[GivenText] = Field(
        default=[], description="Networks (CIDR) of who publishes the keys; any unless given."
    )
