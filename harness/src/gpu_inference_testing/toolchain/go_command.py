"""Finds the installed Go and its version, and defines the environment for reproducible builds."""

import json
import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run

_DEFAULT_FOLDER = "/usr/local/go/bin"
"""Where Go's archive is unpacked. Searched after PATH, because sudo resets PATH."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Go:
    """An installed Go."""

    program: Path
    version: str
    """For example `1.26.8`."""


def find_go(search_path: str | None = None) -> Go | None:
    """Return the first Go on a search path (default: PATH, then Go's default folder), or None."""
    if search_path is None:
        search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), _DEFAULT_FOLDER])
    found = shutil.which("go", path=search_path)
    if found is None:
        return None
    program = Path(found)
    return Go(program, _version(program))


def _version(program: Path) -> str:
    # Read the file VERSION in Go's folder: it is faster than a process, and every warm start does this.
    try:
        first_line = (program.resolve().parents[1] / "VERSION").read_text().partition("\n")[0]
    except OSError:
        first_line = ""
    if not first_line.startswith("go"):
        first_line = run([program, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}).strip()
    return first_line.removeprefix("go").partition(" ")[0]


def cache_folders(go: Go) -> tuple[Path, Path]:
    """Return the folders of Go's build cache and module cache."""
    compiled, modules = run([go.program, "env", "GOCACHE", "GOMODCACHE"]).split()
    return Path(compiled), Path(modules)


def module_folder(go: Go, sources: Path, module: str) -> Path:
    """Return the folder with a module's files, at the version that go.mod in `sources` requires.

    Raises:
        GpuInferenceError: the module is not on this machine and cannot be fetched.
    """
    output = run([go.program, "mod", "download", "-json", module], env=build_environment(), cwd=sources)
    return Path(json.loads(output)["Dir"])


def version_key(version: str) -> tuple[int, ...]:
    """Return a Go version as comparable numbers; a release candidate equals its release."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in release.group().split(".")) if release else ()


def architecture(machine: str | None = None) -> str:
    """Return Go's name (GOARCH) of this machine's architecture.

    Raises:
        GpuInferenceError: the embedded cluster does not support it.
    """
    machine = machine or platform.machine()
    try:
        return _ARCHITECTURES[machine]
    except KeyError:
        raise GpuInferenceError(
            f"The embedded cluster runs on {' and '.join(_ARCHITECTURES)} processors, and this is {machine}.",
            "Use another cluster instead: gpu-inference cluster up --provider kubeconfig",
        ) from None


def build_environment() -> dict[str, str]:
    """Return the variables for a build that depends only on its own module.

    The user's settings for fetching and caching modules (GOPROXY, GOMODCACHE, GOCACHE, …) still apply.
    """
    return {
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": architecture(),
        # Set explicitly: an empty variable falls back to the value of `go env -w`.
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        # Ignore a workspace of the user in a parent folder.
        "GOWORK": "off",
    }
