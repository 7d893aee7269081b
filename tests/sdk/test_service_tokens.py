"""What a service wants of a token, read from the objects that the chart renders."""

from pathlib import Path
from typing import Any

import pytest
from tests.chart.rendering import render

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.keys import read_keys
from gpu_inference.service.objects import Object, Objects
from gpu_inference.service.tokens import AccessToken, new_token, token_check

ELSEWHERE = {
    "issuer": "https://issuer.example",
    "allowedSubjects": ["ada", "system:serviceaccount:team:client"],
    "jwks": {"configMap": "keys"},
}


@pytest.fixture
def objects(kubeconfig: Path) -> Objects:
    """Of a cluster that is not there: nothing here needs to ask it."""
    return Objects(kubeconfig, None, "default")


def deployment(token_auth: dict[str, Any]) -> Object:
    values = {"deployment": {"token_auth_enabled": True}, "tokenAuth": token_auth}
    return render(values).one("Deployment")


def test_the_first_service_account_is_the_one_whose_token_the_cluster_makes() -> None:
    subjects = ["ada", "system:serviceaccount:team:client", "system:serviceaccount:team:other"]
    check = token_check(deployment({"clusterIssuer": True, "allowedSubjects": subjects}))
    assert check is not None
    assert (check.issuer, check.audience, check.account) == (None, "mnist", ("team", "client"))
    assert check.instruction == "Get one: kubectl create token client --namespace team --audience mnist"


def test_a_known_name_of_the_clusters_issuer_makes_it_no_other() -> None:
    named = {"clusterIssuer": True, "issuer": "https://cluster.example", "audience": "a"}
    check = token_check(deployment({**named, "allowedSubjects": ["system:serviceaccount:team:client"]}))
    assert check is not None
    assert (check.audience, check.account) == ("a", ("team", "client"))


@pytest.mark.parametrize(
    ("token_auth", "way"),
    [
        (
            ELSEWHERE,
            "Get one from https://issuer.example for the audience mnist and one of the subjects: ada, ",
        ),
        (
            {"clusterIssuer": True, "allowedSubjects": ["ada"]},
            "Get one from the cluster's own issuer for the audience mnist and one of the subjects: ada",
        ),
    ],
    ids=["another issuer", "no ServiceAccount"],
)
def test_a_token_that_the_cluster_cannot_make_is_refused_with_where_to_get_it(
    objects: Objects, token_auth: dict[str, Any], way: str
) -> None:
    with pytest.raises(GpuInferenceError, match="requires a token that this cluster cannot issue") as refused:
        new_token(objects, deployment(token_auth))
    assert way in str(refused.value)


def test_who_asks_for_keys_of_a_service_with_tokens_is_told_how_to_get_one(objects: Objects) -> None:
    with pytest.raises(GpuInferenceError, match="has no keys: it requires a token") as refused:
        read_keys(objects, deployment(ELSEWHERE))
    assert "Get one from https://issuer.example" in str(refused.value)


@pytest.mark.parametrize("auth_enabled", [True, False])
def test_a_service_without_tokens_makes_none(objects: Objects, auth_enabled: bool) -> None:
    with_keys_or_open = render({"deployment": {"auth_enabled": auth_enabled}}).one("Deployment")
    assert token_check(with_keys_or_open) is None
    with pytest.raises(GpuInferenceError, match="requires no token"):
        new_token(objects, with_keys_or_open)


def test_a_token_is_not_shown_by_chance() -> None:
    assert "secret" not in repr(AccessToken("secret", "Bearer", 1, 2))
