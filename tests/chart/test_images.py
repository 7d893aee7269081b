"""Where images come from: one registry, and one set of credentials, for every image of a release."""

from typing import Any

import pytest
import yaml
from tests.chart.rendering import CHART, Object, RefusedError, Rendered, render

DIGEST = "sha256:" + "a" * 64
AZURE = {"registry": "market.azurecr.io", "image": "team/runtime", "digest": DIGEST}
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]


def pods(rendered: Rendered) -> list[Object]:
    """Return the specs of all pods of a release, its Jobs' and its tests' too."""
    found = [thing["spec"] for thing in rendered.objects if thing["kind"] == "Pod"]
    return found + [
        thing["spec"]["template"]["spec"] for thing in rendered.objects if "template" in thing.get("spec", {})
    ]


def images(values: dict[str, Any]) -> set[str]:
    """Return the images of a render, which holds the service's pods and the Job that makes its keys."""
    specs = pods(render(values))
    assert len(specs) >= 2
    return {
        container["image"]
        for spec in specs
        for container in (*spec.get("initContainers", []), *spec["containers"])
    }


def test_the_default_image_has_no_registry() -> None:
    assert images({}) == {f"gpu-inference-runtime:{VERSION}"}


@pytest.mark.parametrize(
    ("repository", "image"),
    [
        ("team/digits", "mirror.example.com:5000/all/team/digits:1"),
        ("digits", "mirror.example.com:5000/all/digits:1"),
        # A mirror keeps paths and replaces hosts.
        ("ghcr.io/team/digits", "mirror.example.com:5000/all/team/digits:1"),
        ("localhost/digits", "mirror.example.com:5000/all/digits:1"),
        ("localhost:5000/digits", "mirror.example.com:5000/all/digits:1"),
    ],
)
def test_the_global_registry_is_every_images(repository: str, image: str) -> None:
    values = {
        "global": {"imageRegistry": "mirror.example.com:5000/all"},
        "image": {"repository": repository, "tag": "1"},
    }
    assert images(values) == {image}


def test_the_global_registry_goes_before_the_images_own() -> None:
    values: dict[str, Any] = {"image": {"registry": "own.example.com", "repository": "digits", "tag": "1"}}
    assert images(values) == {"own.example.com/digits:1"}
    assert images(values | {"global": {"imageRegistry": "all.example.com"}}) == {"all.example.com/digits:1"}


def test_ranchers_registry_is_honoured_and_an_empty_one_is_none() -> None:
    image = {"repository": "digits", "tag": "1"}
    for registry, wanted in (("rancher.example.com", "rancher.example.com/digits:1"), ("", "digits:1")):
        values = {"image": image, "global": {"cattle": {"systemDefaultRegistry": registry}}}
        assert images(values) == {wanted}


def test_an_image_of_the_azure_marketplace_replaces_the_image() -> None:
    values = {
        "image": {"repository": "digits", "tag": "1"},
        "global": {"imageRegistry": "mirror.example.com", "azure": {"images": {"runtime": AZURE}}},
    }
    assert images(values) == {f"market.azurecr.io/team/runtime@{DIGEST}"}


def test_a_digest_replaces_the_tag_behind_any_registry() -> None:
    values = {
        "image": {"repository": "digits", "tag": "1", "digest": DIGEST},
        "global": {"imageRegistry": "mirror.example.com"},
    }
    assert images(values) == {f"mirror.example.com/digits@{DIGEST}"}


def test_every_pod_has_all_pull_credentials_once() -> None:
    values = {
        "global": {"imagePullSecrets": ["everyones", {"name": "mine"}]},
        "imagePullSecrets": [{"name": "mine"}, {"name": "other"}],
    }
    for spec in pods(render(values)):
        assert [secret["name"] for secret in spec["imagePullSecrets"]] == ["everyones", "mine", "other"]


def test_without_credentials_none_are_rendered() -> None:
    assert all("imagePullSecrets" not in spec for spec in pods(render()))


@pytest.mark.parametrize("given", [{}, {"cattle": "x", "azure": {"images": []}, "other": [1]}])
def test_what_other_charts_keep_in_global_does_not_matter(given: Any) -> None:
    assert render({"global": given}).objects == render().objects


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"imageRegistry": "https://mirror.example.com"}, "global.imageRegistry must be a registry's host"),
        ({"imageRegistry": "mirror.example.com/"}, "global.imageRegistry must be a registry's host"),
        ({"imageRegistry": 5000}, "global.imageRegistry must be a registry's host"),
        ({"cattle": {"systemDefaultRegistry": ["x"]}}, "global.cattle.systemDefaultRegistry must be"),
        ({"azure": {"images": {"test": {"registry": "x"}}}}, "global.azure.images.test must"),
        ({"imagePullSecrets": "mine"}, "global.imagePullSecrets must be a list"),
        ({"imagePullSecrets": [{"nome": "mine"}]}, "global.imagePullSecrets must be a list"),
        (
            {"azure": {"images": {"runtime": AZURE | {"digest": "latest"}}}},
            "global.azure.images.runtime must",
        ),
    ],
)
def test_a_mistake_in_global_is_told_in_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render({"global": given})
    (mistake,) = refused.value.mistakes
    assert mistake.startswith(sentence)
