"""`keys.*` and `tokenAuth.*`: how requests authenticate."""

from typing import Annotated

from charts.values.base import NonEmpty, Port, Section, text
from pydantic import Field, StrictBool, StrictStr

# What Kubernetes takes as the name of an entry of a Secret.
EntryName = Annotated[
    StrictStr,
    text(r"[-._a-zA-Z0-9]+", "be the name of an entry of a Secret", max_length=253),
]


class Keys(Section):
    """An existing Secret of the user."""

    existing_secret: StrictStr = Field(
        default="",
        description="Your own Secret with both keys; defaults to the chart's Secret.",
    )
    primary_key_name: EntryName = Field(
        default="primaryKey", description="Name of the primary key's entry in existingSecret."
    )
    secondary_key_name: EntryName = Field(
        default="secondaryKey", description="Name of the secondary key's entry in existingSecret."
    )


class Jwks(Section):
    """Source of the issuer's JSON Web Key Set."""

    config_map: StrictStr = Field(
        default="", description="ConfigMap with the issuer's JSON Web Key Set; changes are picked up."
    )
    key: NonEmpty = Field(default="jwks.json", description="Key of that ConfigMap.")
    url: StrictStr = Field(
        default="", description="HTTPS URL of the issuer's JSON Web Key Set, fetched every 5 minutes."
    )
    ca_config_map: StrictStr = Field(
        default="",
        description="ConfigMap whose ca.crt holds the certificate authorities for jwks.url; defaults to"
        " the image's.",
    )
    token_secret: StrictStr = Field(
        default="",
        description="Secret whose key token holds a bearer token for jwks.url.",
    )


class TokenAuth(Section):
    """Tokens that requests may carry instead of a key."""

    cluster_issuer: StrictBool = Field(
        default=False,
        description="Whether to accept tokens of the cluster's ServiceAccounts (kubectl create token).",
    )
    issuer: StrictStr = Field(
        default="",
        description="Issuer (`iss` claim) of accepted tokens; discovered if clusterIssuer is true.",
    )
    audience: StrictStr = Field(
        default="",
        description="Audience (`aud` claim) that tokens must carry; defaults to the service's name.",
    )
    allowed_subjects: list[NonEmpty] = Field(
        default=[],
        description="Subjects (`sub` claim) that may score, such as"
        " system:serviceaccount:NAMESPACE:NAME; required.",
    )
    jwks: Jwks = Field(default_factory=Jwks, description="Keys of the issuer, if clusterIssuer is false.")
    egress_ports: list[Port] = Field(
        default=[],
        description="TCP ports that serve the issuer's keys; defaults to the port of jwks.url, or to 443"
        " and 6443.",
    )
    egress_cidrs: list[NonEmpty] = Field(
        default=[], description="Networks (CIDR) that serve the issuer's keys; empty allows any."
    )
