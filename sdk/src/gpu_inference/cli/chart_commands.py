"""`gpu-inference chart`: packages the chart, and lists its images."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from gpu_inference.cli.options import FILE
from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory
from gpu_inference.value_files import read_values


@click.group()
def chart() -> None:
    """Package the chart, or list its images."""


@chart.command()
@click.option("--destination", type=FILE, default=Path(), metavar="FOLDER")
@click.option("--sign-key", metavar="NAME", help="name of a PGP key without passphrase, to sign with")
@click.option(
    "--keyring", type=FILE, metavar="FILE", help="file with that key, from gpg --export-secret-keys"
)
def package(destination: Path, sign_key: str | None, keyring: Path | None) -> None:
    """Write the chart's package (.tgz); sign it if a key is given."""
    if keyring and not sign_key:
        raise GpuInferenceError(
            "--keyring is given without --sign-key.", "Give the name of the key: --sign-key NAME"
        )
    written = Helm(progress=Progress()).package(
        chart_directory(), destination, signing_key=sign_key, keyring=keyring
    )
    for path in (written, written.with_name(f"{written.name}.prov")):
        if path.is_file():
            print(os.path.relpath(path))


@chart.command()
@click.option(
    "--values",
    "values_file",
    type=FILE,
    metavar="FILE",
    help="values to render the chart with (default: the chart's own)",
)
def images(values_file: Path | None) -> None:
    """List every image of the rendered chart, one per line."""
    values = read_values(values_file) if values_file else {}
    manifests = Helm(progress=Progress()).template("gpu-inference", chart_directory(), values)
    print("\n".join(images_of(manifests)))


def images_of(manifests: str) -> list[str]:
    """Return the references of all images in rendered manifests, sorted and without duplicates.

    They are the images of all kinds of containers, and of image volumes.
    """
    return sorted({image for manifest in yaml.safe_load_all(manifests) for image in _images(manifest)})


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
