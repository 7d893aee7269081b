"""Which models, in which versions, lie in the image: so that a dashboard shows when a new one serves."""

from pathlib import Path


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
