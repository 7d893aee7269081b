"""Where the keys come from: made in the cluster, given in values, or in a Secret of the user's own."""

import base64
from typing import Any

import pytest
from tests.chart.rendering import RefusedError, Rendered, render

MAKERS = {"Job", "Role", "RoleBinding"}


def kinds(rendered: Rendered) -> set[str]:
    return {kind for kind, _ in rendered.names}


def job_arguments(rendered: Rendered) -> list[str]:
    (container,) = rendered.one("Job")["spec"]["template"]["spec"]["containers"]
    return [str(word) for word in container["command"][4:]]


def keys_volume(rendered: Rendered) -> dict[str, Any]:
    (volume,) = (volume["secret"] for volume in rendered.pod["volumes"] if volume["name"] == "keys")
    return dict(volume)


def test_without_keys_the_secret_has_no_data_and_a_job_makes_both() -> None:
    rendered = render()
    assert not {"data", "stringData"} & rendered.one("Secret").keys()
    assert job_arguments(rendered) == ["mnist-keys", "primaryKey", "secondaryKey"]


def test_no_pod_starts_before_both_keys_exist() -> None:
    items = [{"key": name, "path": name} for name in ("primaryKey", "secondaryKey")]
    assert keys_volume(render()) == {"secretName": "mnist-keys", "items": items}


def test_the_job_may_read_and_change_that_one_secret_alone() -> None:
    rendered = render()
    assert rendered.one("Role")["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["mnist-keys"],
            "verbs": ["get", "patch"],
        }
    ]
    assert rendered.one("RoleBinding")["subjects"] == [
        {"kind": "ServiceAccount", "name": "mnist-keys", "namespace": "default"}
    ]
    assert rendered.one("Job")["spec"]["template"]["spec"]["serviceAccountName"] == "mnist-keys"


def test_the_scoring_pods_have_no_token() -> None:
    rendered = render()
    assert rendered.pod["automountServiceAccountToken"] is False
    assert rendered.one("ServiceAccount", "mnist")["automountServiceAccountToken"] is False


def test_given_keys_are_in_the_secret_and_nothing_makes_any() -> None:
    rendered = render({"deployment": {"primary_key": "first", "secondary_key": "second"}})
    data = {name: base64.b64decode(value).decode() for name, value in rendered.one("Secret")["data"].items()}
    assert data == {"primaryKey": "first", "secondaryKey": "second"}
    assert not kinds(rendered) & MAKERS


def test_one_given_key_leaves_the_other_to_the_job() -> None:
    rendered = render({"deployment": {"primary_key": "first"}})
    assert list(rendered.one("Secret")["data"]) == ["primaryKey"]
    assert job_arguments(rendered) == ["mnist-keys", "secondaryKey"]


def test_the_job_runs_again_when_a_given_key_is_taken_back() -> None:
    given = render({"deployment": {"primary_key": "first"}})
    assert given.one("Job")["metadata"]["name"] != render().one("Job")["metadata"]["name"]


def test_the_job_of_another_image_is_another_job() -> None:
    # Its spec cannot be changed in place.
    names = {render({"image": {"tag": tag}}).one("Job")["metadata"]["name"] for tag in ("1", "2")}
    assert len(names) == 2


def test_the_job_runs_where_the_scoring_pods_may_and_takes_no_gpu() -> None:
    values = {"nodeSelector": {"pool": "gpu"}, "imagePullSecrets": [{"name": "registry"}]}
    rendered = render(values)
    job = rendered.one("Job")["spec"]["template"]["spec"]
    for field in ("nodeSelector", "tolerations", "imagePullSecrets"):
        assert job[field] == rendered.pod[field]
    assert "nvidia.com/gpu" not in job["containers"][0]["resources"]["requests"]
    assert job["containers"][0]["image"] == rendered.container["image"]


def test_a_secret_of_the_users_own_is_only_mounted() -> None:
    rendered = render({"keys": {"existingSecret": "mine"}})
    assert keys_volume(rendered)["secretName"] == "mine"
    assert not kinds(rendered) & (MAKERS | {"Secret"})


def test_keys_in_the_users_secret_become_the_servers_files() -> None:
    names = {"primaryKeyName": "api.key", "secondaryKeyName": "spare"}
    rendered = render({"keys": {"existingSecret": "mine", **names}})
    assert keys_volume(rendered) == {
        "secretName": "mine",
        "items": [{"key": "api.key", "path": "primaryKey"}, {"key": "spare", "path": "secondaryKey"}],
    }


def test_a_name_that_no_secret_can_hold_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"keys[./]primaryKeyName"):
        render({"keys": {"existingSecret": "mine", "primaryKeyName": "not a name"}})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        ({"primary_key": "first"}, "primaryKey"),
        ({"primary_key": "first", "secondary_key": "second"}, "primaryKey,secondaryKey"),
    ],
)
def test_the_secret_says_which_keys_come_from_the_values(given: dict[str, str], said: str | None) -> None:
    annotations = render({"deployment": given}).one("Secret")["metadata"].get("annotations")
    assert annotations == (said and {"gpu-inference/keys-from-values": said})


def test_without_authentication_there_are_no_keys() -> None:
    rendered = render({"deployment": {"auth_enabled": False}})
    assert not kinds(rendered) & (MAKERS | {"Secret"})
    assert [volume["name"] for volume in rendered.pod["volumes"]] == ["tmp"]
    assert [mount["name"] for mount in rendered.container["volumeMounts"]] == ["tmp"]
