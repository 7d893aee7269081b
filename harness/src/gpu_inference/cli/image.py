"""`gpu-inference image`: builds the runtime image, lists and removes what was built."""

import argparse

from gpu_inference.cli.output import add_output, print_json
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import FRAMEWORKS, find_engine, runtime_image
from gpu_inference.progress import Progress


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands of this module."""
    image = commands.add_parser("image", help="build, list and remove images on this machine")
    actions = image.add_subparsers(metavar="ACTION", required=True)

    build = actions.add_parser("build", help="build the runtime image, unless nothing has changed")
    build.add_argument(
        "--framework", choices=FRAMEWORKS, default="none", help="what to install beside the server"
    )
    build.add_argument(
        "--base-image",
        metavar="IMAGE",
        help="any image with Python >= 3.11 and venv (default: the Dockerfile's; with buildah one made here)",
    )
    build.set_defaults(handler=_build)

    listing = actions.add_parser("list", help="list the images that were built here")
    add_output(listing)
    listing.set_defaults(handler=_list)

    remove = actions.add_parser("remove", help="remove an image from this machine")
    remove.add_argument("reference", metavar="IMAGE", help="its name, as `image list` shows it")
    remove.set_defaults(handler=_remove)


def _build(arguments: argparse.Namespace) -> None:
    image = runtime_image(arguments.framework, base_image=arguments.base_image, progress=Progress())
    print(f"{image.reference} {_size(image.size_bytes)} {image.image_id}")


def _list(arguments: argparse.Namespace) -> None:
    images = sorted(find_engine().images(), key=lambda image: image.reference)
    if arguments.output == "json":
        print_json(
            [
                {"reference": image.reference, "size_bytes": image.size_bytes, "image_id": image.image_id}
                for image in images
            ]
        )
        return
    for image in images:
        print(f"{image.reference} {_size(image.size_bytes)} {image.image_id}")


def _remove(arguments: argparse.Namespace) -> None:
    engine = find_engine()
    if engine.find(arguments.reference) is None:
        raise GpuInferenceError(
            f"There is no image {arguments.reference}.", "See which there are: gpu-inference image list"
        )
    engine.remove(arguments.reference)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
