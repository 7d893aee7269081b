"""Rules about registries: those that `global` names for all charts of a parent, and the image's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gpu_inference.values.image import DIGEST, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues

# Azure Marketplace puts its copies here: of the service's image, and of the one that helm test may have.
AZURE_IMAGES = ("runtime", "test")
_IN_NAME = re.compile(r"(localhost|[^/]*[.:][^/]*)/")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what is wrong in the keys of `global` that the chart reads, and an image of two registries."""
    if values.image.registry and _IN_NAME.match(values.image.repository):
        yield ("image.registry and image.repository both name a registry: leave it out of image.repository.")
    given = values.global_ or {}
    yield from _registry("global.imageRegistry", given.get("imageRegistry"))
    yield from _registry(
        "global.cattle.systemDefaultRegistry", _nested(given, "cattle").get("systemDefaultRegistry")
    )
    secrets = given.get("imagePullSecrets")
    if secrets is not None and not (isinstance(secrets, list) and all(map(_is_pull_secret, secrets))):
        yield "global.imagePullSecrets must be a list of names, or of mappings with a name."
    for name in AZURE_IMAGES:
        image = _nested(given, "azure", "images").get(name)
        if image is not None and not _is_azure_image(image):
            yield f"global.azure.images.{name} must have registry, image and digest (sha256:…)."


def _nested(given: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        given = given.get(key) if isinstance(given, dict) else None
    return given if isinstance(given, dict) else {}


def _registry(path: str, given: object) -> Iterator[str]:
    if given is None or given == "":
        return
    if not (isinstance(given, str) and re.fullmatch(REGISTRY, given)):
        yield (
            f"{path} must be a registry's host, with its port and path where it has them, without https://"
            " and without a slash at the end."
        )


def _is_pull_secret(given: object) -> bool:
    name = given.get("name") if isinstance(given, dict) else given
    return isinstance(name, str) and name != ""


def _is_azure_image(given: object) -> bool:
    if not isinstance(given, dict):
        return False
    texts = [given.get(key) for key in ("registry", "image", "digest")]
    return all(isinstance(text, str) and text for text in texts) and (
        re.fullmatch(DIGEST, given["digest"]) is not None
    )
