"""Virtual environments with what people install: our wheels, and the locked packages that they need."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpu_inference.process import run

ROOT = Path(__file__).parents[1]
_UV = Path(sys.executable).with_name("uv")


def wheel_of(project: Path, folder: Path) -> Path:
    """Build the wheel of a project into a folder; return its path."""
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=project)
    [wheel] = folder.glob("*.whl")
    return wheel


def environment(folder: Path, lock: Path, wheels: Sequence[Path]) -> Path:
    """Make a virtual environment of these wheels and of the packages in a lock file; return its bin folder.

    A package that a wheel needs and the lock file lacks is not there: importing it then fails.
    """
    run([_UV, "venv", "--quiet", "--python", sys.executable, folder])
    install: list[str | Path] = [_UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    run([*install, "--require-hashes", "--requirement", lock])
    run([*install, "--no-deps", *wheels])
    run([_UV, "pip", "check", "--quiet", "--python", folder / "bin" / "python"])
    return folder / "bin"


def tracked(folder: Path) -> set[str]:
    """Return the names of the files below a folder that git knows and that are there."""
    listed = run(["git", "ls-files", "-z", "--cached", "."], cwd=folder)
    return {name for name in listed.split("\0") if name and (folder / name).is_file()}


def outside(home: Path) -> Mapping[str, str]:
    """Return variables for a program that finds nothing of this machine's user, and no cluster."""
    return {
        "HOME": str(home),
        "KUBECONFIG": "",
        "GPU_INFERENCE_STATE_DIR": str(home / "state"),
        "PYTHONPATH": "",
    }
