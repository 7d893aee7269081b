"""Services that ask for tokens: the cluster's own ones (`kubectl create token`), or another issuer's."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import delete_together, lives, statuses
from tests.live.kubernetes_objects import api_client, pods_of
from tests.token_issuer import SigningKey, key_set, unsigned

from gpu_inference.clients import kubectl
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.process import run
from gpu_inference.service import Service

PATIENCE_SECONDS = 120
# The kubelet looks at a pod's ConfigMaps every 60 to 90 s unless told; a busy machine adds to it.
KUBELET_SECONDS = 240
DEPLOYMENT = {"gpu_cores": 0, "token_auth_enabled": True, "max_request_wait_time": 10_000}
ISSUER = "https://issuer.example"
OLD, NEW = SigningKey("old"), SigningKey("new", "RS256")


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(scope="module")
def services(namespace: str, kubeconfig: Path, chart: Path) -> Iterator[dict[str, Service]]:
    """Two services: of the cluster's issuer, for the ServiceAccount `client`; and of one with a ConfigMap."""
    both = {
        name: Service(name, namespace=namespace, kubeconfig=kubeconfig) for name in ("inside", "elsewhere")
    }
    core = client.CoreV1Api(api_client(both["inside"]))
    for account in ("client", "stranger"):
        core.create_namespaced_service_account(namespace, {"metadata": {"name": account}})
    core.create_namespaced_config_map(
        namespace, {"metadata": {"name": "issuer"}, "data": {"keys": key_set(OLD)}}
    )
    subject = f"system:serviceaccount:{namespace}:client"
    token_auth: dict[str, dict[str, Any]] = {
        "inside": {"clusterIssuer": True, "allowedSubjects": [subject]},
        "elsewhere": {
            "issuer": ISSUER,
            "audience": "digits",
            "allowedSubjects": ["ada"],
            "jwks": {"configMap": "issuer", "key": "keys"},
        },
    }
    for name in both:
        values = {"deployment": DEPLOYMENT, "tokenAuth": token_auth[name], **NO_DRAIN}
        Helm(kubeconfig=kubeconfig).upgrade(name, chart, values, namespace=namespace)
    for service in both.values():
        service.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
    yield both
    delete_together(list(both.values()))


@pytest.fixture(scope="module")
def inside(services: dict[str, Service]) -> Service:
    return services["inside"]


@pytest.fixture(scope="module")
def elsewhere(services: dict[str, Service]) -> Service:
    return services["elsewhere"]


def created(service: Service, account: str, audience: str) -> str:
    """Return what a person gets who has `kubectl create token` make a token."""
    where = [f"--kubeconfig={service.kubeconfig}", f"--namespace={service.namespace}"]
    return run([kubectl(), *where, "create", "token", account, f"--audience={audience}"]).strip()


def of_ada(key: SigningKey, **claims: Any) -> str:
    return key.token(**{"iss": ISSUER, "aud": "digits", "sub": "ada", **claims})


def claims_and_header(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (segment + "==" for segment in token.split("."))
    return json.loads(base64.urlsafe_b64decode(claims)), json.loads(base64.urlsafe_b64decode(header))


def logs(service: Service) -> str:
    return service.get_logs()


def test_kubectl_create_token_makes_a_token_that_scores(inside: Service) -> None:
    assert statuses(inside, created(inside, "client", "inside")) == {200}


def test_another_subject_or_another_audience_does_not_score(inside: Service) -> None:
    assert statuses(inside, created(inside, "stranger", "inside")) == {401}
    assert statuses(inside, created(inside, "client", "elsewhere")) == {401}
    assert "stranger' is not one of the allowed ones" in logs(inside)
    assert "it is for another audience" in logs(inside)


def test_a_token_of_another_issuer_does_not_score_whatever_it_says(inside: Service) -> None:
    good = created(inside, "client", "inside")
    claims, header = claims_and_header(good)
    # All as in the cluster's own token, but for the signature; then with a key of another id.
    for key in (SigningKey(header["kid"], header["alg"]), NEW):
        assert statuses(inside, key.token(**claims)) == {401}
    assert "its signature is wrong" in logs(inside)
    assert "it is signed with a key that is not the issuer's" in logs(inside)


def test_a_token_without_a_signature_does_not_score(inside: Service, elsewhere: Service) -> None:
    assert statuses(inside, unsigned(created(inside, "client", "inside"))) == {401}
    assert statuses(elsewhere, unsigned(of_ada(OLD))) == {401}


def test_no_token_is_told_by_the_log(inside: Service) -> None:
    token = created(inside, "client", "inside")
    assert statuses(inside, token) == {200}
    assert statuses(inside, token[:-8]) == {401}
    for part in token.split("."):
        assert part not in logs(inside)


def test_the_harness_gets_itself_a_token_and_says_that_there_are_no_keys(inside: Service) -> None:
    assert inside.run("[1, 2]") == "[1, 2]"
    token = inside.get_access_token()
    assert statuses(inside, token.access_token) == {200}
    assert time.time() < token.refresh_after < token.expiry_on
    with pytest.raises(GpuInferenceError, match="kubectl create token client") as refused:
        inside.get_keys()
    assert "The service inside has no keys: it requires a token." in str(refused.value)


def test_another_issuers_tokens_score_until_they_have_expired(elsewhere: Service) -> None:
    assert statuses(elsewhere, of_ada(OLD)) == {200}
    assert elsewhere.run("[1, 2]", token=of_ada(OLD)) == "[1, 2]"
    now = int(time.time())
    assert statuses(elsewhere, of_ada(OLD, exp=now - 60)) == {401}
    assert "it has expired" in logs(elsewhere)
    assert statuses(elsewhere, of_ada(OLD, exp=None)) == {401}
    assert statuses(elsewhere, of_ada(OLD, sub="bob")) == {401}
    with pytest.raises(GpuInferenceError, match=f"Get one from {ISSUER} for the audience digits"):
        elsewhere.get_access_token()


def test_the_clusters_tokens_do_not_score_where_another_issuer_is_asked_for(elsewhere: Service) -> None:
    assert statuses(elsewhere, created(elsewhere, "client", "digits")) == {401}


def test_keys_that_change_in_the_config_map_hold_without_a_restart(elsewhere: Service) -> None:
    core = client.CoreV1Api(api_client(elsewhere))
    before = lives(elsewhere)
    assert statuses(elsewhere, of_ada(NEW)) == {401}
    core.patch_namespaced_config_map("issuer", elsewhere.namespace, {"data": {"keys": key_set(NEW)}})
    # A changed pod is synced at once, with its volumes.
    for pod in pods_of(elsewhere):
        told = {"metadata": {"annotations": {"tests/changed": str(time.time())}}}
        core.patch_namespaced_pod(pod.metadata.name, elsewhere.namespace, told)
    deadline = time.monotonic() + KUBELET_SECONDS
    while statuses(elsewhere, of_ada(NEW)) != {200} and time.monotonic() < deadline:
        time.sleep(0.5)
    assert statuses(elsewhere, of_ada(NEW)) == {200}
    assert statuses(elsewhere, of_ada(OLD)) == {401}
    assert lives(elsewhere) == before
