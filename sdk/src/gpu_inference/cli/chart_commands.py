"""`gpu-inference chart`: packages the chart, and lists the images that it names."""

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
    """Package the chart, list the images that it names."""


@chart.command()
@click.option("--destination", type=FILE, default=Path(), metavar="FOLDER")
@click.option("--sign-key", metavar="NAME", help="a PGP key without passphrase, for provenance")
@click.option("--keyring", type=FILE, metavar="FILE", help="the file with it, from gpg --export-secret-keys")
def package(destination: Path, sign_key: str | None, keyring: Path | None) -> None:
    """Write the chart's .tgz, signed where a key is given."""
    if keyring and not sign_key:
        raise GpuInferenceError("--keyring is given without --sign-key.", "Name the key with --sign-key.")
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
    help="values of the render (default: the chart's)",
)
def images(values_file: Path | None) -> None:
    """List every image of a render, one on each line."""
    values = read_values(values_file) if values_file else {}
    manifests = Helm(progress=Progress()).template("gpu-inference", chart_directory(), values)
    print("\n".join(images_of(manifests)))


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
