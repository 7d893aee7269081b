"""Builds images with Docker, where its engine answers."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gpu_inference import process
from gpu_inference.errors import GpuInferenceError
from gpu_inference.image.engine import CONTENT_LABEL, StoredImage

_ANSWER_SECONDS = 15


def docker_answers() -> bool:
    """Return whether Docker is installed and its engine runs."""
    if shutil.which("docker") is None:
        return False
    try:
        # The format makes the client ask the engine; without one it exits non-zero.
        return bool(
            process.run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=_ANSWER_SECONDS).strip()
        )
    except GpuInferenceError:
        return False


class Docker:
    """The engine of most people's machines; it pulls the Dockerfile's default base."""

    name = "docker"
    builds_base = False

    def find(self, reference: str) -> StoredImage | None:
        """Return the image of that name, or None."""
        try:
            facts: list[dict[str, Any]] = json.loads(process.run(["docker", "image", "inspect", reference]))
        except process.ProgramError as error:
            if "no such image" in error.said.lower():
                return None
            raise
        labels = facts[0]["Config"].get("Labels") or {}
        return StoredImage(reference, facts[0]["Id"], labels.get(CONTENT_LABEL), facts[0]["Size"])

    def images(self) -> list[StoredImage]:
        """Return the images that carry our label."""
        listed = process.run(
            ["docker", "images", f"--filter=label={CONTENT_LABEL}", "--format={{.Repository}}:{{.Tag}}"]
        )
        named = [name for name in listed.split() if "<none>" not in name]
        found = [self.find(full_name(name)) for name in named]
        return [image for image in found if image is not None]

    def build(
        self,
        reference: str,
        context: Path,
        *,
        dockerfile: Path | None = None,
        arguments: Mapping[str, str] | None = None,
        content: str,
    ) -> StoredImage:
        """Build a Dockerfile (the context's own unless given) and label the image with `content`."""
        process.run(
            [
                "docker",
                "build",
                f"--tag={reference}",
                f"--file={dockerfile or context / 'Dockerfile'}",
                f"--label={CONTENT_LABEL}={content}",
                *(f"--build-arg={key}={value}" for key, value in (arguments or {}).items()),
                str(context),
            ]
        )
        image = self.find(reference)
        if image is None:
            raise GpuInferenceError(
                f"docker build reports success, but {reference} is not among Docker's images."
            )
        return image

    def save(self, reference: str, archive: Path) -> None:
        """Write an image as a docker-archive."""
        process.run(["docker", "save", f"--output={archive}", reference])

    def push(self, reference: str, destination: str) -> None:
        """Copy an image to a registry, with the credentials of `docker login`."""
        process.run(["docker", "tag", reference, destination])
        process.run(["docker", "push", "--quiet", destination])

    def remove(self, reference: str) -> None:
        """Remove an image from Docker's store."""
        process.run(["docker", "image", "rm", reference])


def full_name(name: str) -> str:
    """Return what Docker and Kubernetes mean by a name without a registry: `docker.io/library/…`."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"
