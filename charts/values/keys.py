"""`keys.*` and `tokenAuth.*`: what requests must carry, and where that comes from."""

from typing import Annotated

from charts.values.base import NonEmpty, Port, Section, text
from pydantic import Field, StrictBool, StrictStr

# What Kubernetes takes as the name of an entry of a Secret.
EntryName = Annotated[
    StrictStr,
    text(r"[-._a-zA-Z0-9]+", "be the name of an entry of a Secret", max_length=253),
]


class Keys(Section):
    """A Secret of the user's own."""

    existing_secret: StrictStr = Field(
        default="",
        description="Your own Secret that holds both keys; the chart's Secret unless given.",
    )
    primary_key_name: EntryName = Field(
        default="primaryKey", description="Name of the first key in existingSecret."
    )
    secondary_key_name: EntryName = Field(
        default="secondaryKey", description="Name of the second key in existingSecret."
    )


class Jwks(Section):
    """Where the keys of the tokens' issuer are published, as a JSON Web Key Set."""

    config_map: StrictStr = Field(
        default="", description="ConfigMap with the issuer's JSON Web Key Set, read again when it changes."
    )
    key: NonEmpty = Field(default="jwks.json", description="Key of that ConfigMap.")
    url: StrictStr = Field(
        default="", description="URL of the issuer's JSON Web Key Set, with https; asked again every 5 min."
    )
    ca_config_map: StrictStr = Field(
        default="",
        description="ConfigMap whose ca.crt has the authorities for jwks.url; the image's unless given.",
    )
    token_secret: StrictStr = Field(
        default="",
        description="Secret whose token is shown to jwks.url as a bearer token; none unless given.",
    )


class TokenAuth(Section):
    """What a token must say, and who vouches for it."""

    cluster_issuer: StrictBool = Field(
        default=False,
        description="Whether the cluster's own tokens of ServiceAccounts count (kubectl create token).",
    )
    issuer: StrictStr = Field(
        default="",
        description="Who issues the tokens (claim iss); the cluster's own is found out unless given.",
    )
    audience: StrictStr = Field(
        default="", description="Whom the tokens are for (claim aud); the service's name unless given."
    )
    allowed_subjects: list[NonEmpty] = Field(
        default=[],
        description="Who may score (claim sub), as in system:serviceaccount:NAMESPACE:NAME; must be given.",
    )
    jwks: Jwks = Field(default_factory=Jwks, description="The issuer's keys, unless clusterIssuer is true.")
    egress_ports: list[Port] = Field(
        default=[],
        description="TCP ports of who publishes the keys; jwks.url's, or 443 and 6443, unless given.",
    )
    egress_cidrs: list[NonEmpty] = Field(
        default=[], description="Networks (CIDR) of who publishes the keys; any unless given."
    )
