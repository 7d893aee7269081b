"""Which models, in which versions, lie in the image: so that a dashboard shows when a new one serves."""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector


def models_in(app_root: Path) -> list[tuple[str, str]]:
    """Return name and version of each model in `azureml-models`, sorted; what volumes add is left out."""
    try:
        return sorted(
            (model.name, version.name)
            for model in (app_root / "azureml-models").iterdir()
            if model.is_dir() and not model.name.startswith(".") and model.name != "lost+found"
            for version in model.iterdir()
            if version.name.isdecimal() and version.is_dir()
        )
    except OSError:
        return []


class ModelVersions(Collector):
    """One metric of value 1 for each."""

    def __init__(self, app_root: Path) -> None:
        self._models = models_in(app_root)

    def collect(self) -> Iterator[InfoMetricFamily]:
        """Yield them, as they were when the server started."""
        family = InfoMetricFamily("gpu_inference_model", "Models in the image", labels=["model", "version"])
        for name, version in self._models:
            family.add_metric([name, version], {})
        if family.samples:
            yield family
