"""The Go that is installed here: where, which version, and what makes its builds repeatable."""

import json
import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import run

_USUAL_PLACE = "/usr/local/go/bin"
"""Where Go's own archive goes. Added to PATH because sudo drops it."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Go:
    """An installed Go."""

    program: Path
    version: str
    """As in `1.26.8`."""


def find_go(search_path: str | None = None) -> Go | None:
    """Return the first Go on a search path (PATH, then Go's usual place), or None."""
    if search_path is None:
        search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), _USUAL_PLACE])
    found = shutil.which("go", path=search_path)
    if found is None:
        return None
    program = Path(found)
    return Go(program, _version(program))


def _version(program: Path) -> str:
    # Go's own folder has its version in a file: no process, on a path that a warm start takes each time.
    try:
        first_line = (program.resolve().parents[1] / "VERSION").read_text().partition("\n")[0]
    except OSError:
        first_line = ""
    if not first_line.startswith("go"):
        first_line = run([program, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}).strip()
    return first_line.removeprefix("go").partition(" ")[0]


def cache_folders(go: Go) -> tuple[Path, Path]:
    """Return where this Go keeps what it compiled, and the modules that it fetched."""
    compiled, modules = run([go.program, "env", "GOCACHE", "GOMODCACHE"]).split()
    return Path(compiled), Path(modules)


def module_folder(go: Go, sources: Path, module: str) -> Path:
    """Return the folder with all of a module's files, at the version that the go.mod in `sources` requires.

    Raises:
        GpuInferenceError: it is not on this machine and cannot be fetched.
    """
    said = run([go.program, "mod", "download", "-json", module], env=build_environment(), cwd=sources)
    return Path(json.loads(said)["Dir"])


def version_key(version: str) -> tuple[int, ...]:
    """Return a Go version as numbers to compare; a release candidate counts as its release."""
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in release.group().split(".")) if release else ()


def architecture(machine: str | None = None) -> str:
    """Return Go's name (GOARCH) for this machine's processor.

    Raises:
        GpuInferenceError: it is one that our programs are not built for.
    """
    machine = machine or platform.machine()
    try:
        return _ARCHITECTURES[machine]
    except KeyError:
        raise GpuInferenceError(
            f"The embedded cluster runs on {' and '.join(_ARCHITECTURES)} processors, and this is {machine}.",
            "Use a cluster of yours instead: gpu-inference cluster up --provider kubeconfig",
        ) from None


def build_environment() -> dict[str, str]:
    """Return the variables for a build that depends on nothing but its own module.

    Where modules come from and are kept (GOPROXY, GOMODCACHE, GOCACHE, …) stays the user's business.
    """
    return {
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": architecture(),
        # Set, not emptied: an empty variable gives way to what `go env -w` wrote.
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        # A workspace of the user's that happens to lie around ours.
        "GOWORK": "off",
    }
