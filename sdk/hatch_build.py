"""Adds the chart and the runtime's build context to the wheel, so that an installed SDK needs no checkout."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_RUNTIME = ("Dockerfile", ".dockerignore", "pyproject.toml", "requirements*.lock", "src")


class ResourcesHook(BuildHookInterface[Any]):
    """Adds the files that `gpu_inference.resources` finds in a wheel. Editable installs use the checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files and their target paths to hatchling's build data."""
        if version == "editable":
            return
        checkout = Path(self.root).parent
        included = {checkout / "charts" / "gpu-inference": "chart"}
        for pattern in _RUNTIME:
            for path in (checkout / "runtime").glob(pattern):
                included[path] = f"runtime/{path.name}"
        for path, target in included.items():
            build_data["force_include"][str(path)] = f"gpu_inference/_resources/{target}"
