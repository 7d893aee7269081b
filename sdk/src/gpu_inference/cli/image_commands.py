"""`gpu-inference image`: builds the runtime image, lists and removes what was built."""

import click

from gpu_inference.cli.options import output_option, print_json
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import FRAMEWORKS, find_engine, runtime_image
from gpu_inference.progress import Progress


@click.group()
def image() -> None:
    """Build, list and remove images on this machine."""


@image.command()
@click.option(
    "--framework",
    type=click.Choice(FRAMEWORKS),
    default="none",
    help="what to install beside the server",
)
@click.option(
    "--base-image",
    metavar="IMAGE",
    help="any image with Python >= 3.11 and venv (default: the Dockerfile's; with buildah one made here)",
)
def build(framework: str, base_image: str | None) -> None:
    """Build the runtime image, unless nothing has changed."""
    built = runtime_image(framework, base_image=base_image, progress=Progress())
    print(f"{built.reference} {_size(built.size_bytes)} {built.image_id}")


@image.command("list")
@output_option
def list_images(as_json: bool) -> None:
    """List the images that were built here."""
    images = sorted(find_engine().images(), key=lambda stored: stored.reference)
    if as_json:
        names = ("reference", "size_bytes", "image_id")
        print_json([{name: getattr(stored, name) for name in names} for stored in images])
        return
    for stored in images:
        print(f"{stored.reference} {_size(stored.size_bytes)} {stored.image_id}")


@image.command()
@click.argument("reference", metavar="IMAGE")
def remove(reference: str) -> None:
    """Remove an image from this machine, by its name as `image list` shows it."""
    engine = find_engine()
    if engine.find(reference) is None:
        raise GpuInferenceError(
            f"There is no image {reference}.", "See which there are: gpu-inference image list"
        )
    engine.remove(reference)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
