"""Brings images into the node's containerd; what each was loaded from is kept there, to load only changes."""

import tempfile
from pathlib import Path

from gpu_inference.cluster import LocalImage
from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run
from gpu_inference_testing.archive import write_archive
from gpu_inference_testing.embedded.configuration import PAUSE_IMAGE
from gpu_inference_testing.embedded.layers import write_thin_archive
from gpu_inference_testing.embedded.layout import CONTAINERD_SOCKET, NODE_CONTAINERD, NODE_STATE

# containerd may store another manifest, and even configuration, than the archive had; so its own digests
# cannot be compared with ours.
_ID_LABEL = "gpu-inference/image-id"
# The user id that pods' pause containers run as, as in Kubernetes' own pause image.
_NOBODY = "65535:65535"


class ImageStore:
    """The images of one running node."""

    def __init__(self, state: Path, node_pid: int) -> None:
        self._state = state
        self._node_pid = node_pid

    def load(self, image: LocalImage) -> bool:
        """Import an image unless the very same is there under its name; return whether it was imported.

        Raises:
            GpuInferenceError: the image cannot be written out, or containerd refuses it.
        """
        if self._loaded_id(image.reference) == image.image_id:
            return False
        with tempfile.TemporaryDirectory(prefix="image-", dir=self._state) as folder:
            archive = Path(folder, "image.tar")
            image.save(archive)
            thin = archive.with_name("thin.tar")
            present = self._ctr("content", "list", "--quiet").split()
            self.import_archive(
                thin if write_thin_archive(archive, thin, image.reference, present) else archive
            )
        if self._line(image.reference) is None:
            raise GpuInferenceError(f"The archive of {image.reference} holds no image of that name.")
        self._ctr("images", "label", image.reference, f"{_ID_LABEL}={image.image_id}")
        return True

    def import_archive(self, archive: Path) -> None:
        """Import an archive that lies in the state folder."""
        self._ctr("images", "import", str(NODE_STATE / archive.relative_to(self._state)))

    def _loaded_id(self, reference: str) -> str | None:
        line = self._line(reference)
        if line is None:
            return None
        for label in line.split()[-1].split(","):
            key, _, value = label.partition("=")
            if key == _ID_LABEL:
                return value
        return None

    def _line(self, reference: str) -> str | None:
        """Return the image's line in containerd's table, or None."""
        lines = self._ctr("images", "list", f'name=="{reference}"').splitlines()
        return next((line for line in lines if line.split()[0] == reference), None)

    def _ctr(self, *arguments: str) -> str:
        return run(
            [
                "nsenter",
                f"--target={self._node_pid}",
                "--mount",
                f"{NODE_CONTAINERD}/ctr",
                f"--address={CONTAINERD_SOCKET}",
                "--namespace=k8s.io",
                *arguments,
            ]
        )


def write_pause_archive(program: Path, archive: Path) -> None:
    """Write a docker-archive with the one program that holds a pod's namespaces."""
    write_archive(archive, PAUSE_IMAGE, {"pause": program}, entrypoint=["/pause"], user=_NOBODY)
