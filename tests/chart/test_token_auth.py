"""Tokens instead of keys: what the server is told, what is mounted, which way out is opened."""

from typing import Any

import pytest
from tests.chart.rendering import RefusedError, Rendered, notes, render
from tests.chart.test_interfaces import TOKENS

from gpu_inference_runtime.settings import Settings, load_settings

SUBJECTS = ["system:serviceaccount:team:client", "a <b> & 'c'"]
CLUSTER = {"clusterIssuer": True, "allowedSubjects": SUBJECTS}
CONFIG_MAP = {"issuer": "https://issuer.example", "allowedSubjects": SUBJECTS, "jwks": {"configMap": "keys"}}
URL = {
    "issuer": "https://issuer.example",
    "audience": "digits",
    "allowedSubjects": SUBJECTS,
    "jwks": {
        "url": "https://issuer.example:8443/keys?app=1",
        "caConfigMap": "ca",
        "tokenSecret": "reader",
    },
}
SOURCES: dict[str, dict[str, Any]] = {"cluster": CLUSTER, "ConfigMap": CONFIG_MAP, "URL": URL}
every_source = pytest.mark.parametrize("source", SOURCES)


def values(token_auth: dict[str, Any], **deployment: Any) -> dict[str, Any]:
    return {"deployment": {"token_auth_enabled": True, **deployment}, "tokenAuth": token_auth}


def settings(rendered: Rendered) -> Settings:
    return load_settings([], rendered.env)


def issuer_sources(rendered: Rendered) -> list[dict[str, Any]]:
    found = [volume["projected"]["sources"] for volume in rendered.pod["volumes"] if "projected" in volume]
    return [source for sources in found for source in sources]


def ways_out(token_auth: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the egress rules that a service with keys does not have, where egress is closed."""
    closed = {"networkPolicy": {"allowExternalEgress": False}}
    usual = render(closed).one("NetworkPolicy")["spec"]["egress"]
    rendered = render(values(token_auth) | closed)
    return [rule for rule in rendered.one("NetworkPolicy")["spec"]["egress"] if rule not in usual]


@every_source
def test_the_server_understands_what_the_chart_tells_it(source: str) -> None:
    told = settings(render(values(SOURCES[source])))
    assert told.asks_for_token
    assert told.keys_directory is None
    assert told.token_allowed_subjects == tuple(SUBJECTS)
    assert told.token_audience == SOURCES[source].get("audience", "mnist")
    assert told.token_issuer == SOURCES[source].get("issuer")


def test_the_variables_are_those_of_the_page() -> None:
    told = {name for source in SOURCES.values() for name in render(values(source)).env} - render().env.keys()
    assert sorted(told) == sorted(row[0] for row in TOKENS)


@every_source
def test_every_file_that_the_server_is_told_of_lies_in_the_volume(source: str) -> None:
    rendered = render(values(SOURCES[source]))
    told = {value for value in rendered.env.values() if str(value).startswith("/")}
    (mount,) = (mount for mount in rendered.container["volumeMounts"] if mount["name"] == "issuer")
    assert (mount["mountPath"], mount["readOnly"], "subPath" in mount) == (
        "/etc/gpu-inference/issuer",
        True,
        False,
    )
    lies_there = set()
    for projected in issuer_sources(rendered):
        (content,) = projected.values()
        lies_there |= {item["path"] for item in content.get("items", [content])}
    assert told == {f"/etc/gpu-inference/issuer/{name}" for name in lies_there}


def test_the_clusters_issuer_is_asked_with_the_pods_account() -> None:
    rendered = render(values(CLUSTER))
    told = settings(rendered)
    assert told.token_jwks_url == "https://kubernetes.default.svc/openid/v1/jwks"
    assert told.token_discovery_url == "https://kubernetes.default.svc/.well-known/openid-configuration"
    assert issuer_sources(rendered) == [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    # That token alone: nothing else in the pod may act as the account.
    assert rendered.pod["automountServiceAccountToken"] is False


def test_a_known_name_of_the_clusters_issuer_is_not_asked_for() -> None:
    told = settings(render(values({**CLUSTER, "issuer": "https://cluster.example"})))
    assert (told.token_issuer, told.token_discovery_url) == ("https://cluster.example", None)


def test_keys_of_another_name_in_a_config_map_become_the_same_file() -> None:
    jwks = {"configMap": "keys", "key": "our-keys"}
    (projected,) = issuer_sources(render(values({**CONFIG_MAP, "jwks": jwks})))
    assert projected == {"configMap": {"name": "keys", "items": [{"key": "our-keys", "path": "jwks.json"}]}}


def test_a_url_without_secrets_needs_no_volume() -> None:
    rendered = render(values({**URL, "jwks": {"url": "https://issuer.example/keys"}}))
    assert issuer_sources(rendered) == []
    assert settings(rendered).token_jwks_ca_file is None


@pytest.mark.parametrize("auth_enabled", [{}, {"auth_enabled": None}, {"auth_enabled": False}], ids=str)
def test_tokens_replace_keys_unless_keys_are_asked_for(auth_enabled: Any) -> None:
    rendered = render(values(CLUSTER, **auth_enabled))
    assert not {"Secret", "Job", "Role"} & {kind for kind, _ in rendered.names}
    assert "GPU_INFERENCE_KEYS_DIR" not in rendered.env


@pytest.mark.parametrize("off", [{}, {"token_auth_enabled": None}, {"token_auth_enabled": False}], ids=str)
def test_without_tokens_there_are_keys_whatever_token_auth_says(off: dict[str, Any]) -> None:
    rendered = render({"deployment": off, "tokenAuth": CLUSTER})
    assert rendered.objects == render().objects


def test_keys_and_tokens_at_once_are_refused_in_the_words_of_the_sdk() -> None:
    with pytest.raises(RefusedError) as refused:
        render(values(CLUSTER, auth_enabled=True))
    assert refused.value.mistakes == [
        "Invalid configuration, auth_enabled and token_auth_enabled cannot both be true."
    ]


@pytest.mark.parametrize(
    ("token_auth", "ports"),
    [
        (CLUSTER, [443, 6443]),
        (URL, [8443]),
        ({**URL, "jwks": {"url": "https://issuer.example/keys"}}, [443]),
        ({**URL, "jwks": {"url": "https://[2001:db8::1]/keys"}}, [443]),
        ({**CLUSTER, "egressPorts": [16443]}, [16443]),
    ],
    ids=["cluster", "URL's port", "URL without port", "IPv6", "given"],
)
def test_the_network_policy_lets_the_server_ask_for_the_keys(
    token_auth: dict[str, Any], ports: list[int]
) -> None:
    (rule,) = ways_out(token_auth)
    assert rule == {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def test_the_way_out_can_be_narrowed_to_networks() -> None:
    (rule,) = ways_out({**CLUSTER, "egressCidrs": ["10.0.0.1/32", "fd00::/8"]})
    assert rule["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}, {"ipBlock": {"cidr": "fd00::/8"}}]


def test_keys_from_a_config_map_need_no_way_out() -> None:
    assert ways_out(CONFIG_MAP) == []


@pytest.mark.parametrize("key", ["clusterissuer", "jwks.uri"])
def test_an_unknown_value_is_named(key: str) -> None:
    section, _, name = key.rpartition(".")
    wrong = {section: {name: "x"}} if section else {name: "x"}
    with pytest.raises(RefusedError, match=name):
        render({"tokenAuth": wrong})


def test_the_notes_tell_how_to_get_a_token() -> None:
    text = notes(values(CLUSTER))
    assert "TOKEN=$(kubectl create token client --namespace team --audience mnist)" in text
    assert '--header "Authorization: Bearer $TOKEN"' in text
    elsewhere = notes(values(URL))
    assert "Get a token for the audience digits, with a subject of tokenAuth.allowedSubjects" in elsewhere
    assert "create token" not in elsewhere
