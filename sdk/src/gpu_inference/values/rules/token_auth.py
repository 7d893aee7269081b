"""Rules about tokens: instead of keys, from one issuer that can be checked, and not of everybody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

# No user and password: they would be readable in the pod.
_URL = re.compile(r"https://([^/:@?#\s]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[^\s#]*)?")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what is missing for a check of tokens, or contradicts it."""
    if values.deployment.auth_enabled and values.deployment.token_auth_enabled:
        yield "Invalid configuration, auth_enabled and token_auth_enabled cannot both be true."
    section = values.token_auth
    if values.deployment.token_auth_enabled:
        places = (section.cluster_issuer, bool(section.jwks.config_map), bool(section.jwks.url))
        if sum(places) != 1:
            yield (
                "deployment.token_auth_enabled: true needs the keys of the tokens' issuer from one place:"
                " give just one of tokenAuth.clusterIssuer: true, tokenAuth.jwks.configMap and"
                " tokenAuth.jwks.url."
            )
        if not section.issuer and not section.cluster_issuer:
            yield (
                "deployment.token_auth_enabled: true needs tokenAuth.issuer, the claim iss of the tokens,"
                " unless tokenAuth.clusterIssuer is true."
            )
        if not section.allowed_subjects:
            yield (
                "deployment.token_auth_enabled: true needs tokenAuth.allowedSubjects, the claim sub of those"
                " who may score: issuer and audience alone would admit everybody that the issuer knows."
            )
    if section.jwks.url and not _URL.fullmatch(section.jwks.url):
        yield (
            f'tokenAuth.jwks.url is "{section.jwks.url}", but must be a URL that begins with https://,'
            " without user and password: tokenAuth.jwks.tokenSecret is for credentials."
        )
    if (section.jwks.ca_config_map or section.jwks.token_secret) and not section.jwks.url:
        yield (
            "tokenAuth.jwks.caConfigMap and tokenSecret are for tokenAuth.jwks.url: give it, or leave them"
            " out."
        )
