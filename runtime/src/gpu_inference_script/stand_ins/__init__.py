"""What stands in for old packages and ways that scripts rely on, each only where the real thing is absent."""

import sys
from pathlib import Path
from typing import Iterator

from gpu_inference_script.config import Config
from gpu_inference_script.stand_ins import contrib_services, joblib_alias, shims, torch_pickles

# Each stand-in of the folder `shims`, by the file that it would have in the real package.
_PACKAGES = {
    "azureml.core.model.Model": "azureml/core/model.py",
    "azureml.monitoring.ModelDataCollector": "azureml/monitoring/__init__.py",
}


def offer() -> None:
    """Let scripts find them from now on; called before the script is imported, on whatever thread."""
    shims.offer()
    contrib_services.offer()
    joblib_alias.offer()
    torch_pickles.allow()


def in_effect(config: Config) -> "Iterator[str]":
    """Yield a line for each that scripts will get. Looks for files alone: it imports nothing."""
    for name, file in _PACKAGES.items():
        if not _installed(file, config):
            yield f"{name}, since {name.rpartition('.')[0]} is not installed"
    yield "azureml.contrib.services (rawhttp, AMLRequest, AMLResponse), whatever is installed"
    if joblib_alias.is_needed():
        yield "sklearn.externals.joblib is joblib, since this scikit-learn has none of its own"
    if torch_pickles.is_needed():
        yield f"{torch_pickles.VARIABLE}=1, so that torch.load takes whole models, as it did before 2.6"


def _installed(file: str, config: Config) -> bool:
    root = Path(config.app_root)
    source = [config.source_directory] if config.source_directory else []
    folders = [*map(Path, sys.path), root, *(root / name for name in source)]
    own = Path(shims.__file__).parent
    return any((folder / file).is_file() for folder in folders if folder != own)
