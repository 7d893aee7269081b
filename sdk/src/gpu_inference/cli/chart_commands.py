"""`gpu-inference chart`: packages the chart, and lists the images that it names."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from gpu_inference.errors import GpuInferenceError
from gpu_inference.helm import Helm
from gpu_inference.progress import Progress
from gpu_inference.resources import chart_directory
from gpu_inference.value_files import read_values


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module."""
    chart = commands.add_parser("chart", help="package the chart, list the images that it names")
    actions = chart.add_subparsers(metavar="ACTION", required=True)

    package = actions.add_parser("package", help="write the chart's .tgz, signed where a key is given")
    package.add_argument("--destination", type=Path, default=Path(), metavar="FOLDER")
    package.add_argument("--sign-key", metavar="NAME", help="a PGP key without passphrase, for provenance")
    package.add_argument(
        "--keyring", type=Path, metavar="FILE", help="the file with it, from gpg --export-secret-keys"
    )
    package.set_defaults(handler=_package)

    images = actions.add_parser("images", help="list every image of a render, one on each line")
    images.add_argument(
        "--values", type=Path, metavar="FILE", help="values of the render (default: the chart's)"
    )
    images.set_defaults(handler=_list_images)


def _package(arguments: argparse.Namespace) -> None:
    if arguments.keyring and not arguments.sign_key:
        raise GpuInferenceError("--keyring is given without --sign-key.", "Name the key with --sign-key.")
    written = Helm(progress=Progress()).package(
        chart_directory(),
        arguments.destination,
        signing_key=arguments.sign_key,
        keyring=arguments.keyring,
    )
    for path in (written, written.with_name(f"{written.name}.prov")):
        if path.is_file():
            print(os.path.relpath(path))


def _list_images(arguments: argparse.Namespace) -> None:
    values = read_values(arguments.values) if arguments.values else {}
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
