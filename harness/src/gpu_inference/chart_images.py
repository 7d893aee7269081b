"""Lists the images that a render of the chart names: what a cluster without internet has to have."""

from collections.abc import Iterator
from typing import Any

import yaml


def images_of(manifests: str) -> list[str]:
    """Return the references of all images in rendered manifests, each once, in the order of the alphabet.

    Containers of all kinds count, and volumes that are images.
    """
    return sorted({image for thing in yaml.safe_load_all(manifests) for image in _images(thing)})


def _images(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _images(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield value
            elif key == "image" and isinstance(value, dict) and "reference" in value:
                yield value["reference"]
            else:
                yield from _images(value)
