"""An old service's environment for the tests: Python 3.9, scikit-learn 0.23, Flask 1.1, inference-schema 1.1.

`old_python` unpacks packages of Debian 11 into one folder, which can lie anywhere, in an image too. Its file
`python` starts that interpreter with Debian 11's own C library, so nothing of this system's takes part.
`python -m tests.old_environment` makes the folder ahead of the tests, which otherwise make it themselves.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

from gpu_inference import cache
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import cache_directory
from gpu_inference.process import run
from gpu_inference.progress import Progress, Silent

SUITE = "bullseye"
# Joblib, NumPy and SciPy come with scikit-learn. The last three are what inference-schema needs.
PACKAGES = ("python3-sklearn", "python3-flask", "python3-wrapt", "python3-dateutil", "python3-tz")
# What Debian does not have of a service of 2020. A line of a requirements file.
SCHEMA_PACKAGE = (
    "inference-schema==1.1.0 --hash=sha256:75c006113104b0327290cb80c3f082698a420f46eadd80d1514c8da32eac2148"
)
MIRROR_VARIABLE = "OLD_DEBIAN_MIRROR"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PYTHON = "usr/bin/python3.9"
_MODULES = ("usr/lib/python3", "usr/lib/python3.9")
# Each {} is the machine's name for its kind, such as x86_64-linux-gnu.
_LIBRARIES = ("lib/{}", "usr/lib/{}", "usr/lib/{}/blas", "usr/lib/{}/lapack")
# The system's own libraries must not fill in for one that is missing: they need a newer C library.
_LAUNCHER = """\
#!/bin/sh
# Starts the Python of this folder with the folder's own libraries. It replaces this shell.
self=$(readlink -f "$0")
root=${{self%/*}}
exec "$root/{loader}" --inhibit-cache --library-path "{path}" "$root/{python}" "$@"
"""
# The launcher, not the program behind it, is what starts another interpreter of the same kind.
_SITE_CUSTOMIZE = """\
import os.path
import sys

sys.executable = os.path.join(os.path.dirname(sys.prefix), "python")
"""


def old_python(folder: Path, progress: Progress | None = None) -> Path:
    """Return the program that starts the old interpreter; its environment is the folder that it lies in.

    Args:
        folder: the cache folder; the environment is made in it unless it is there.
        progress: where to say what is done.

    Raises:
        GpuInferenceError: this is no Debian, its mirror does not have the old release, or the disk is full.
    """
    recipe = (SUITE, *PACKAGES, SCHEMA_PACKAGE, _PYTHON, *_MODULES, *_LIBRARIES, _LAUNCHER, _SITE_CUSTOMIZE)
    key = hashlib.sha256("\0".join(recipe).encode()).hexdigest()
    entry = folder / "old-environments" / f"{SUITE}-{key[:12]}"
    if not entry.is_dir():
        progress = progress or Silent()
        with cache.locked(entry.parent, progress):
            if not entry.is_dir():
                with cache.new_entry(entry) as unfinished:
                    _make(unfinished, progress)
    return entry / "python"


def _make(environment: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=environment.parent, prefix=cache.UNFINISHED) as scratch:
        with progress.step(f"Fetching Python of Debian's {SUITE} (once on this machine)"):
            packages = _fetch(Path(scratch, "apt"))
        with progress.step(f"Unpacking {len(packages)} packages"):
            root = Path(scratch, "root")
            for package in packages:
                run(["dpkg-deb", "--extract", package, root])
            _keep(root, environment)
        with progress.step("Fetching inference-schema"):
            _install(Path(scratch, "requirements.txt"), environment / _MODULES[0] / "dist-packages")
    launcher = _write_launcher(environment)
    with progress.step("Compiling its modules"):
        # Debian does this when it installs a package. Not by time stamps: copies in images have others.
        compiling = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
        run([launcher, *compiling, *(environment / folder for folder in _MODULES)])


def _fetch(folder: Path) -> list[Path]:
    """Download the packages and all that they depend on, with nothing of apt's own state read or changed."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    sources = folder / "sources.list"
    sources.write_text(
        f"deb [signed-by={_KEYRING} target=Packages] {_mirror(folder / 'lists')} {SUITE} main\n"
    )
    settings = {
        "Dir::State": folder,
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "APT::Default-Release": "",
        # The user that apt downloads as by default may not enter the cache folder.
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"--option={name}={value}" for name, value in settings.items())]
    try:
        run([*apt, "update"])
        run([*apt, "install", "--download-only", "--yes", "--no-install-recommends", *PACKAGES])
    except GpuInferenceError as error:
        cache.raise_if_disk_is_full(str(error))
        raise GpuInferenceError(
            f"Debian's {SUITE} cannot be fetched: {error}",
            f"Name a mirror that still has it: export {MIRROR_VARIABLE}=URI",
        ) from error
    return sorted((folder / "archives").glob("*.deb"))


def _mirror(lists: Path) -> str:
    """Return the mirror that this Debian's own packages come from, unless the environment names another."""
    if named := os.environ.get(MIRROR_VARIABLE):
        return named
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian" or shutil.which("apt-get") is None:
        raise GpuInferenceError(
            f"The tests' old environment comes from Debian packages, and this is {system.get('NAME')}.",
            f"Install apt and {_KEYRING}, and name a mirror: export {MIRROR_VARIABLE}=URI",
        )
    # As if nothing had been fetched yet: it then lists each source.
    listed = run(["apt-get", "update", "--print-uris", f"--option=Dir::State::Lists={lists}"])
    found = re.search(rf"^'(\S+)/dists/{system['VERSION_CODENAME']}/InRelease'", listed, re.MULTILINE)
    if found is None:
        raise GpuInferenceError(
            f"apt's sources do not name a mirror of {system['VERSION_CODENAME']}.",
            f"Name one: export {MIRROR_VARIABLE}=URI",
        )
    return found[1]


def _install(requirements: Path, folder: Path) -> None:
    requirements.write_text(f"{SCHEMA_PACKAGE}\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run([*pip, "--no-deps", "--require-hashes", "--requirement", requirements, "--target", folder])


def _keep(root: Path, environment: Path) -> None:
    """Move what the interpreter needs out of the unpacked packages."""
    triplet = _triplet(root)
    for name in (*_MODULES, _PYTHON, f"lib/{triplet}", f"usr/lib/{triplet}"):
        target = environment / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / name).rename(target)
    # A link out of the folder, to a file of Debian's configuration.
    customize = environment / "usr/lib/python3.9/sitecustomize.py"
    customize.unlink()
    customize.write_text(_SITE_CUSTOMIZE)


def _write_launcher(environment: Path) -> Path:
    triplet = _triplet(environment)
    [loader] = (environment / "lib" / triplet).glob("ld-[0-9]*.so")
    launcher = environment / "python"
    launcher.write_text(
        _LAUNCHER.format(
            loader=loader.relative_to(environment),
            path=":".join(f"$root/{library}".format(triplet) for library in _LIBRARIES),
            python=_PYTHON,
        )
    )
    launcher.chmod(0o755)
    return launcher


def _triplet(root: Path) -> str:
    [library] = (root / "lib").glob("*/libc.so.6")
    return library.parent.name


if __name__ == "__main__":
    try:
        print(old_python(cache_directory(), Progress()))
    except GpuInferenceError as error:
        sys.exit(str(error))
