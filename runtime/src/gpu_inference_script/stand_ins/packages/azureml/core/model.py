"""`azureml.core.model.Model` for entry scripts: it only finds a model's path in the service's image."""

import os
from pathlib import Path
from typing import List, Optional

from ..exceptions import ModelNotFoundException, WebserviceException

# Read once, like the original: later changes of the variable have no effect.
MODELS_DIR = str(Path(os.environ.get("AML_APP_ROOT", ""), "azureml-models"))


class Model:
    """The part of Azure ML's class that works inside a service."""

    @staticmethod
    def get_model_path(model_name: str, version: "Optional[int]" = None, _workspace: object = None) -> str:
        """Return the path of the one file or folder that a model consists of.

        Args:
            model_name: the model's registered name, or else a path relative to the working directory.
            version: the model's version; by default, the highest.
            _workspace: accepted for compatibility.

        Raises:
            WebserviceException: an argument is invalid, the version's folder does not contain exactly one
                entry, or the given version does not exist.
            ModelNotFoundException: there is no such model.
        """
        if version is not None and not isinstance(version, int):
            raise WebserviceException("version should be an int")
        if model_name is None:
            raise WebserviceException("model_name is None")
        folder = Path(MODELS_DIR, model_name)
        if folder.exists():
            folder /= str(_latest_version(folder) if version is None else version)
            if folder.exists():
                entries = _entries(folder)
                if len(entries) != 1:
                    raise WebserviceException(
                        f"Dir {folder} can contain only 1 file or folder. Found {entries}"
                    )
                return str(folder / entries[0])
        if Path(model_name).exists():
            return model_name
        # Like the original: with a version, the error is another one.
        missing = ModelNotFoundException if version is None else WebserviceException
        raise missing(
            f"Model {model_name} not found in cache at {MODELS_DIR} or in current working directory "
            f"{Path.cwd()}. For more info, set logging level to DEBUG."
        )


def _entries(folder: Path) -> "List[str]":
    """Return the names in a version's folder, without entries that volumes add.

    A ConfigMap volume has `..data` and the like, a disk has `lost+found`, others have hidden files. A model
    whose own name begins with a dot is still found if there is nothing else.
    """
    names = sorted(entry.name for entry in folder.iterdir())
    return [name for name in names if not name.startswith(".") and name != "lost+found"] or names


def _latest_version(folder: Path) -> int:
    versions = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
    if not versions:
        raise WebserviceException("versions is empty")
    return max(versions)
