"""Finds the chart and the runtime's build context: inside an installed wheel, or in a checkout."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "_resources"
_CHECKOUT = Path(__file__).parents[3]


def _resource(name: str, in_checkout: str) -> Path:
    installed = _INSTALLED / name
    return installed if installed.is_dir() else _CHECKOUT / in_checkout


def chart_directory() -> Path:
    """Return the chart's folder, which contains Chart.yaml."""
    return _resource("chart", "charts/gpu-inference")


def runtime_directory() -> Path:
    """Return the build context of the runtime image, which contains the Dockerfile."""
    return _resource("runtime", "runtime")
