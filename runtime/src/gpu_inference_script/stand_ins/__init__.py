"""Stand-ins for old packages and behaviour that scripts rely on; most apply only without the real thing."""

import sys
from pathlib import Path
from typing import Iterator

from gpu_inference_script.config import Config
from gpu_inference_script.stand_ins import contrib_services, joblib_alias, packages, torch_pickles

# The stand-ins in the folder `packages`, and their files in the real packages.
_PACKAGES = {
    "azureml.core.model.Model": "azureml/core/model.py",
    "azureml.monitoring.ModelDataCollector": "azureml/monitoring/__init__.py",
}


def offer() -> None:
    """Install all stand-ins; call it before the script is imported."""
    packages.offer()
    contrib_services.offer()
    joblib_alias.offer()
    torch_pickles.allow()


def describe(config: Config) -> "Iterator[str]":
    """Yield a line for each stand-in that the script will get. This looks for files and imports nothing."""
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
    own = Path(packages.__file__).parent
    return any((folder / file).is_file() for folder in folders if folder != own)
