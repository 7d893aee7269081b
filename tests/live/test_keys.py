"""The two keys of a service over their life in a cluster: made, rotated, refused, and nowhere to be read."""

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from tests.live.conftest import NO_DRAIN
from tests.live.keys_in_cluster import delete_together, lives, places_of, status_at, statuses
from tests.live.kubernetes_objects import (
    api_client,
    pods_of,
    read_deployment,
    service_as_a_limited_user,
)
from tests.live.load import Load

from gpu_inference.cli import main
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.progress import Silent
from gpu_inference.service import Service
from gpu_inference.service.key_rotation import FIELD_MANAGER, regenerate
from gpu_inference.service.keys import Key
from gpu_inference.service.objects import Object, Objects

# The bare runtime: its built-in script echoes. A queued request outlives a busy machine.
DEPLOYMENT = {"gpu_cores": 0, "max_request_wait_time": 10_000}
PATIENCE_SECONDS = 120
# The kubelet looks at a pod's Secrets every 60 to 90 s unless told; a busy machine adds to it.
BY_ITSELF_SECONDS = 240
# What the chart's README says that a rotation takes.
NEEDED = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
    {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["rotated-keys"],
        "verbs": ["list", "patch"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
]
OWN_NAMES = ("api.key", "spare")


pytestmark = pytest.mark.usefixtures("runtime_image_in_cluster")


@pytest.fixture(scope="module")
def install(namespace: str, kubeconfig: Path, chart: Path) -> Iterator[Callable[..., Service]]:
    """Installs a service of this name and values, and waits for it; all are removed afterwards."""
    installed: list[Service] = []

    def install_and_wait(name: str, *, deployment: dict[str, Any] | None = None, **values: Any) -> Service:
        service = Service(name, namespace=namespace, kubeconfig=kubeconfig)
        installed.append(service)
        values = {**NO_DRAIN, **values, "deployment": {**DEPLOYMENT, **(deployment or {})}}
        Helm(kubeconfig=kubeconfig).upgrade(name, chart, values, namespace=namespace)
        service.wait_for_deployment(timeout_sec=PATIENCE_SECONDS)
        return service

    yield install_and_wait
    delete_together(installed)


@pytest.fixture(scope="module")
def own(install: Callable[..., Service], namespace: str, kubeconfig: Path) -> Service:
    """A service with a Secret of the user's own."""
    core = client.CoreV1Api(api_client(Service("own", namespace=namespace, kubeconfig=kubeconfig)))
    data = dict(zip(OWN_NAMES, ("first-of-my-own\n", "second-of-my-own"), strict=True))
    core.create_namespaced_secret(namespace, {"metadata": {"name": "mine"}, "stringData": data})
    names = dict(zip(("primaryKeyName", "secondaryKeyName"), OWN_NAMES, strict=True))
    service = install("own", keys={"existingSecret": "mine", **names})
    assert service.get_keys() == ("first-of-my-own", "second-of-my-own")
    assert statuses(service, "first-of-my-own") == {200}
    return service


@pytest.fixture(scope="module")
def service(install: Callable[..., Service], own: Service) -> Service:  # noqa: ARG001 (its pod comes to rest)
    """A service of two replicas, whose keys were made in the cluster."""
    return install("rotated", deployment={"num_replicas": 2})


@pytest.fixture(scope="module", autouse=True)
def changed_by_hand(own: Service, service: Service) -> float:  # noqa: ARG001 (while it came, `own` came to rest)
    """Changes a key in the user's own Secret, and tells when: the kubelet's time passes while tests run."""
    set_by_hand(own, "mine", {OWN_NAMES[0]: "changed-by-hand"})
    return time.monotonic()


@pytest.mark.parametrize("which", ["primary", "secondary"])
def test_a_key_is_rotated_while_the_other_works_without_a_restart_or_a_failed_request(
    service: Service, which: Key
) -> None:
    before = dict(zip(("primary", "secondary"), service.get_keys(), strict=True))
    other = "secondary" if which == "primary" else "primary"
    pods = lives(service)
    generation = read_deployment(service).metadata.generation
    with Load(service.scoring_uri, {"Authorization": f"Bearer {before[other]}"}) as load:
        service.regen_key(which.capitalize())
    load.assert_no_failures()
    after = dict(zip(("primary", "secondary"), service.get_keys(), strict=True))
    assert after[other] == before[other]
    assert after[which] != before[which]
    assert (statuses(service, after[which]), statuses(service, after[other])) == ({200}, {200})
    assert statuses(service, before[which]) == {401}
    assert lives(service) == pods
    assert set(pods.values()) == {0}
    assert read_deployment(service).metadata.generation == generation


def test_clients_of_the_harness_go_on_with_the_new_key_by_themselves(service: Service) -> None:
    assert service.run("1") == "1"
    service.regen_key("primary")
    assert service.run("2") == "2"


def test_a_key_of_the_users_own_comes_from_standard_input_and_is_never_printed(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a-key-of-my-own-9f3a\n"))
    where = ["--namespace", service.namespace, "--kubeconfig", str(service.kubeconfig)]
    assert main(["keys", "regenerate", "rotated", "Secondary", "--key-file", "-", *where]) == 0
    printed = capsys.readouterr()
    assert "Changing the secondary key of rotated" in printed.err
    assert "a-key-of-my-own" not in printed.out + printed.err
    assert service.get_keys()[1] == "a-key-of-my-own-9f3a"
    assert statuses(service, "a-key-of-my-own-9f3a") == {200}


def test_both_keys_are_never_the_same(service: Service) -> None:
    keys = service.get_keys()
    with pytest.raises(GpuInferenceError, match="the same as its secondary key") as caught:
        service.regen_key("primary", keys[1])
    assert keys[1] not in str(caught.value)
    assert service.get_keys() == keys


def test_both_keys_can_be_rotated_at_the_same_time(service: Service) -> None:
    before = service.get_keys()
    failed: list[BaseException] = []

    def rotate(which: Key) -> None:
        try:
            Service("rotated", namespace=service.namespace, kubeconfig=service.kubeconfig).regen_key(which)
        except GpuInferenceError as error:
            failed.append(error)

    keys: tuple[Key, Key] = ("primary", "secondary")
    threads = [threading.Thread(target=rotate, args=(which,)) for which in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    after = service.get_keys()
    assert not set(after) & set(before)
    assert [statuses(service, key) for key in (*before, *after)] == [{401}, {401}, {200}, {200}]


def test_a_key_that_somebody_else_changed_in_between_is_left_alone(service: Service) -> None:
    class Overtaken(Objects):
        """Somebody changes the key between reading the Secret and patching it."""

        def patch_secret(self, secret: Object, manager: str, **change: Any) -> None:
            if not service.get_keys()[0].startswith("theirs"):
                set_by_hand(service, "rotated-keys", {"primaryKey": "theirs"})
            super().patch_secret(secret, manager, **change)

    with pytest.raises(GpuInferenceError, match="Somebody else changed the primary key of rotated"):
        rotate_by(Overtaken, service)
    assert service.get_keys()[0] == "theirs"


def test_a_key_that_somebody_else_changes_while_the_pods_follow_is_told(service: Service) -> None:
    class Overwritten(Objects):
        """Somebody changes the key once more before the pods look at it."""

        def annotate_pod(self, pod: str, annotations: Mapping[str, str]) -> None:
            set_by_hand(service, "rotated-keys", {"primaryKey": "theirs-again"})
            super().annotate_pod(pod, annotations)

    with pytest.raises(GpuInferenceError, match="Somebody else changed the primary key of rotated"):
        rotate_by(Overwritten, service)
    assert service.get_keys()[0] == "theirs-again"


def test_a_rotation_that_was_interrupted_is_repaired_by_the_next(service: Service) -> None:
    class Interrupted(Objects):
        """Ctrl-C comes right after the Secret was changed."""

        def patch_secret(self, secret: Object, manager: str, **change: Any) -> None:
            super().patch_secret(secret, manager, **change)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_by(Interrupted, service, "interrupted")
    assert service.get_keys()[0] == "interrupted"
    assert FIELD_MANAGER in owners(service)
    service.regen_key("primary")
    assert FIELD_MANAGER not in owners(service)
    assert statuses(service, service.get_keys()[0]) == {200}
    assert statuses(service, "interrupted") == {401}


def test_a_key_that_was_lost_is_made_again(service: Service) -> None:
    core(service).patch_namespaced_secret("rotated-keys", service.namespace, {"data": {"primaryKey": None}})
    with pytest.raises(GpuInferenceError, match="has no primaryKey"):
        service.get_keys()
    service.regen_key("primary")
    assert statuses(service, service.get_keys()[0]) == {200}


def test_a_pod_that_keeps_the_old_key_is_named_when_the_time_is_over(service: Service) -> None:
    old = service.get_keys()
    stubborn = add_pod_with_keys_of_its_own(service, old)
    try:
        with pytest.raises(GpuInferenceError, match=r"after 5 s some pods do not use it: ") as caught:
            rotate_by(Objects, service, limit_seconds=5)
        assert f"{stubborn} (accepts the old key)" in str(caught.value)
        assert f"kubectl delete pod --namespace {service.namespace}" in str(caught.value)
        assert not set(old) & set(str(caught.value).split())
    finally:
        core(service).delete_namespaced_pod(stubborn, service.namespace, grace_period_seconds=0)
    service.regen_key("primary")


def test_who_may_not_reach_the_pods_changes_nothing(service: Service, tmp_path: Path) -> None:
    before = service.get_keys()
    allowed = [rule for rule in NEEDED if rule["resources"] != ["pods/portforward"]]
    limited = service_as_a_limited_user(service, "no-forward", allowed, tmp_path)
    with pytest.raises(GpuInferenceError, match=r"Nothing is changed.* may not get pods/portforward, "):
        limited.regen_key("primary")
    assert service.get_keys() == before


def test_who_may_do_what_the_readme_names_can_rotate_a_key(service: Service, tmp_path: Path) -> None:
    before = service.get_keys()
    service_as_a_limited_user(service, "rotator", NEEDED, tmp_path).regen_key("primary")
    assert statuses(service, before[0]) == {401}
    assert statuses(service, service.get_keys()[0]) == {200}


def test_a_service_without_pods_gets_its_new_key_when_they_come(service: Service) -> None:
    before = service.get_keys()
    scale(service, 0)
    wait_until(lambda: not pods_of(service))
    service.regen_key("primary")
    scale(service, 2)
    wait_until(lambda: read_deployment(service).status.ready_replicas == 2)
    assert statuses(service, service.get_keys()[0]) == {200}
    assert statuses(service, before[0]) == {401}


def test_pods_that_start_during_a_rotation_go_by_the_new_key_too(service: Service) -> None:
    before = service.get_keys()
    scale(service, 4)
    service.regen_key("secondary")
    wait_until(lambda: read_deployment(service).status.ready_replicas == 4)
    assert statuses(service, service.get_keys()[1]) == {200}
    assert statuses(service, before[1]) == {401}
    scale(service, 2)


def test_a_key_that_comes_from_the_values_is_not_rotated_and_the_other_is(
    install: Callable[..., Service],
) -> None:
    service = install("given", deployment={"primary_key": "first-of-my-own"})
    with pytest.raises(GpuInferenceError, match=r"comes from its values \(deployment\.primary_key\)"):
        service.regen_key("primary")
    before = service.get_keys()
    service.regen_key("secondary")
    after = service.get_keys()
    assert after[0] == before[0] == "first-of-my-own"
    assert after[1] != before[1]
    assert (statuses(service, after[1]), statuses(service, before[1])) == ({200}, {401})


def test_keys_that_were_made_can_be_read_nowhere_but_in_their_secret(service: Service) -> None:
    before = service.get_keys()
    service.regen_key("primary")
    service.regen_key("secondary")
    # What is refused must not be logged either.
    assert statuses(service, before[0]) == {401}
    assert places_of(service, service.get_keys()) == {"Secret/rotated-keys"}
    assert places_of(service, before) == set()


def test_keys_from_the_values_can_be_read_in_their_secret_and_in_the_releases_that_helm_stores(
    install: Callable[..., Service],
) -> None:
    keys = ("kept-by-helm-1-77b1", "kept-by-helm-2-77b1")
    service = install("stored", deployment={"primary_key": keys[0], "secondary_key": keys[1]})
    assert statuses(service, keys[0]) == {200}
    # The values are a part of what Helm stores; the README and NOTES say so.
    assert places_of(service, keys) == {"Secret/stored-keys", "release/sh.helm.release.v1.stored.v1"}


def test_a_secret_of_the_users_own_is_not_rotated_here(own: Service) -> None:
    with pytest.raises(GpuInferenceError, match=r"your own, in the Secret mine .*\n  Change api\.key there"):
        own.regen_key("primary")


def test_a_key_changed_by_hand_arrives_by_itself_without_a_restart(
    own: Service, changed_by_hand: float
) -> None:
    assert kubelet_configuration(own)["syncFrequency"] == "1m0s", "not what users' kubelets have"
    wait_until(lambda: statuses(own, "changed-by-hand") == {200}, changed_by_hand + BY_ITSELF_SECONDS)
    print(f"The key arrived within {time.monotonic() - changed_by_hand:.0f} s.")
    assert statuses(own, "first-of-my-own") == {401}
    assert statuses(own, "second-of-my-own") == {200}
    assert own.get_keys() == ("changed-by-hand", "second-of-my-own")
    assert list(lives(own).values()) == [0]


def rotate_by(
    kind: type[Objects], service: Service, value: str = "new-key-77b1", *, limit_seconds: float = 120
) -> None:
    """Rotate the primary key as `regen_key` does, with the cluster as `kind` shows it."""
    objects = kind(service.kubeconfig, None, service.namespace)
    deployment = objects.deployment(service.name)
    assert deployment
    regenerate(objects, deployment, "primary", value, progress=Silent(), limit_seconds=limit_seconds)


def kubelet_configuration(service: Service) -> dict[str, Any]:
    """Return what the kubelet of the service's pod says that it is set to."""
    (pod,) = pods_of(service)
    text = core(service).connect_get_node_proxy_with_path(
        pod.spec.node_name, "configz", _preload_content=False
    )
    configuration: dict[str, Any] = json.loads(text.data)["kubeletconfig"]
    return configuration


def add_pod_with_keys_of_its_own(service: Service, keys: tuple[str, str]) -> str:
    """Add a pod to the service that reads its keys from another Secret; return its name when it is ready."""
    data = dict(zip(("primaryKey", "secondaryKey"), keys, strict=True))
    secret = {"metadata": {"name": "stubborn"}, "stringData": data}
    core(service).create_namespaced_secret(service.namespace, secret)
    template = json.loads(json.dumps(as_json(service, read_deployment(service))["spec"]["template"]))
    (volume,) = (each for each in template["spec"]["volumes"] if each["name"] == "keys")
    volume["secret"]["secretName"] = "stubborn"
    template["metadata"]["name"] = "stubborn"
    core(service).create_namespaced_pod(service.namespace, template)
    wait_until(lambda: is_ready(core(service).read_namespaced_pod("stubborn", service.namespace)))
    assert status_at(service, "stubborn", keys[0]) == 200
    return "stubborn"


def as_json(service: Service, thing: Any) -> Any:
    return api_client(service).sanitize_for_serialization(thing)


def is_ready(pod: Any) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or [])


def core(service: Service) -> Any:
    return client.CoreV1Api(api_client(service))


def set_by_hand(service: Service, secret: str, data: dict[str, str]) -> None:
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    core(service).patch_namespaced_secret(secret, service.namespace, {"data": encoded})


def owners(service: Service) -> set[str]:
    """Return who owns a field of the Secret with the keys."""
    secret = core(service).read_namespaced_secret("rotated-keys", service.namespace)
    return {owner.manager for owner in secret.metadata.managed_fields}


def scale(service: Service, replicas: int) -> None:
    apps = client.AppsV1Api(api_client(service))
    apps.patch_namespaced_deployment_scale(service.name, service.namespace, {"spec": {"replicas": replicas}})


def wait_until(fulfilled: Callable[[], bool], deadline: float | None = None) -> None:
    deadline = deadline or time.monotonic() + PATIENCE_SECONDS
    while not fulfilled():
        assert time.monotonic() < deadline, "It did not come to pass in time."
        time.sleep(0.5)
