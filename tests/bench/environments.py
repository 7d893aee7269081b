"""What the benchmark runs beside the checkout's own environment: the peers' environments and the generator.

Each peer gets a virtual environment in the cache folder, with the versions of its lock file. It is made once.
"""

import hashlib
import platform
import shutil
import sys
from pathlib import Path

from gpu_inference import cache
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import cache_directory
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference_testing.toolchain.programs import GoProgram, build

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
INCUMBENT = CHECKOUT / ".venv-incumbent" / "bin" / "python"
PEERS = ("kserve", "pytriton", "mlserver")
_PATIENCE_SECONDS = 1800
# Triton's own Python 3.11 is older than this; a later one's library asks its locks what they cannot tell.
_TRITONS_PATCH = 5
_GENERATOR = GoProgram(name="bench-generator", sources=HERE / "generator")


def generator_program(progress: Progress) -> Path:
    """Return the load generator, built with the Go that is installed.

    Raises:
        GpuInferenceError: Go is missing or the build fails.
    """
    return build([_GENERATOR], progress)[0] / "generator"


def peer_python(name: str, progress: Progress) -> Path:
    """Return the interpreter of a peer's environment; make the environment where there is none.

    Raises:
        GpuInferenceError: its packages cannot be installed on this machine.
    """
    lock = HERE / "peers" / f"{name}.lock"
    base = _base_python(name)
    pins = "".join(line for line in lock.open(encoding="utf-8") if not line.lstrip().startswith("#"))
    key = hashlib.sha256(f"{pins}{base}{platform.machine()}".encode())
    folder = cache_directory() / "bench" / f"{name}-{key.hexdigest()[:16]}"
    with cache.locked(folder.parent, progress):
        if not folder.is_dir():
            with cache.new_entry(folder) as unfinished, progress.step(f"Installing {name} (once)"):
                _install(unfinished, lock, base)
    return folder / "bin" / "python"


def _base_python(name: str) -> Path:
    # The versions are locked for Python 3.11.
    own = str(Path(sys.base_prefix) / "bin" / "python3.11")
    candidates = [own, "/usr/bin/python3.11", shutil.which("python3.11") or ""]
    for candidate in candidates:
        if Path(candidate).exists():
            version = run([candidate, "-c", "import sys; print(*sys.version_info[:3])"]).split()
            if version[:2] == ["3", "11"] and (name != "pytriton" or int(version[2]) < _TRITONS_PATCH):
                return Path(candidate)
    suited = f"3.11.{_TRITONS_PATCH - 1} or an earlier 3.11" if name == "pytriton" else "3.11"
    raise GpuInferenceError(
        f"{name} needs Python {suited}, and none is installed.", "apt-get install python3.11-venv"
    )


def _install(folder: Path, lock: Path, base: Path) -> None:
    # Scripts of this environment would name the unfinished folder; everything is run by `python -m` or `-c`.
    run([base, "-m", "venv", folder], timeout=_PATIENCE_SECONDS)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # --no-deps: the lock names everything, and hashes leave pip nothing to choose.
    run([*pip, "--no-deps", "--require-hashes", "--requirement", str(lock)], timeout=_PATIENCE_SECONDS)


def incumbent_python() -> Path:
    """Return the interpreter of v1's server.

    Raises:
        GpuInferenceError: its environment has not been made.
    """
    if not INCUMBENT.exists():
        raise GpuInferenceError("v1's server is not installed.", "make .venv-incumbent/.installed")
    return INCUMBENT


def peer_version(name: str) -> str:
    """Return the version of a peer that its lock file names."""
    project = {"pytriton": "nvidia-pytriton"}.get(name, name)
    for line in (HERE / "peers" / f"{name}.lock").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{project}=="):
            return line.split("==")[1].split()[0]
    raise GpuInferenceError(f"{name}.lock does not name {project}.")
