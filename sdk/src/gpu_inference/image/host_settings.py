"""Settings of this machine that a build needs to reach its package index: certificates and pip's options.

They are mounted into the build's containers. The image keeps only an empty file or folder per mount point.
"""

import shlex
import ssl
import sys
from importlib.util import find_spec
from pathlib import Path

from gpu_inference import process
from gpu_inference.errors import GpuInferenceError

_CERTIFICATES = Path("/etc/ssl/certs")
_PIP_CONFIGURATION = "/etc/pip.conf"


def build_mounts(scratch: Path) -> list[tuple[Path, str]]:
    """Return the read-only bind mounts as (path on this machine, path in the build).

    Args:
        scratch: a folder for a generated pip.conf; it must exist until the build ends.
    """
    mounts: dict[str, Path] = {}
    if _CERTIFICATES.is_dir():
        mounts[str(_CERTIFICATES)] = _CERTIFICATES
    settings = _pip_settings()
    for path in filter(None, [ssl.get_default_verify_paths().cafile, settings.get("cert")]):
        _mount(Path(path), mounts)
    for path in settings.get("find-links", "").split():
        _mount(Path(path), mounts)
    if settings:
        configuration = scratch / "pip.conf"
        configuration.write_text(
            "[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())
        )
        configuration.chmod(0o600)
        mounts[_PIP_CONFIGURATION] = configuration
    return [(here, there) for there, here in mounts.items()]


def _mount(path: Path, mounts: dict[str, Path]) -> None:
    inside_another = any(path.is_relative_to(there) for there in mounts)
    if path.is_absolute() and path.exists() and not inside_another:
        mounts[str(path)] = path


def _pip_settings() -> dict[str, str]:
    """Return pip's settings from its files and the environment; later sources override earlier ones."""
    pip = [sys.executable, "-m", "pip"] if find_spec("pip") else ["pip"]
    try:
        listed = process.run([*pip, "config", "list"])
    except GpuInferenceError:
        # Without pip there are no settings.
        return {}
    settings: dict[str, str] = {}
    # Lines like global.cert='/x' and :env:.find-links='/y'; the environment, listed first, takes precedence.
    for line in reversed(listed.splitlines()):
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in ("global", "install", ":env:"):
            settings[name] = " ".join(shlex.split(value))
    # These concern the interpreter on this machine, not the one in the build.
    for name in ("no-input", "require-virtualenv", "user", "target", "prefix", "python", "config-file"):
        settings.pop(name, None)
    return settings
