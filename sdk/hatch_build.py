"""Puts the chart and the runtime's build context into the wheel: an installed SDK needs no checkout."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_RUNTIME = ("Dockerfile", ".dockerignore", "pyproject.toml", "requirements*.lock", "src")


class ResourcesHook(BuildHookInterface[Any]):
    """Adds what `gpu_inference.resources` finds in a wheel. An editable install finds the checkout's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell hatchling what to include, and where."""
        if version == "editable":
            return
        checkout = Path(self.root).parent
        included = {checkout / "charts" / "gpu-inference": "chart"}
        for pattern in _RUNTIME:
            for path in (checkout / "runtime").glob(pattern):
                included[path] = f"runtime/{path.name}"
        for path, place in included.items():
            build_data["force_include"][str(path)] = f"gpu_inference/_resources/{place}"
