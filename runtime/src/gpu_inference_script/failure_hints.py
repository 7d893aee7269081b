"""Hints for the log when a script fails: the missing module, and the content of the model's folder."""

import sys
from itertools import islice
from pathlib import Path
from typing import Iterator, Optional

from gpu_inference_script.stand_ins import packages

# Packages whose name on PyPI differs from the name to import.
_ON_PYPI = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
_HOW = (
    "Install it in the base image of the service (`gpu-inference deploy --base-image`; `--framework` installs"
    " some packages itself)"
)
_AZURE_ML = (
    "{name} of Azure ML's SDK is not in this image: the server itself has only azureml.core.model.Model,"
    " azureml.monitoring.ModelDataCollector and azureml.contrib.services. If the script does not use more"
    " than that, remove the import. Otherwise the script needs the package (azureml.core is in azureml-core,"
    " and so on). {how}."
)
_OTHER_PACKAGE = (
    "There is no {name!r} in {package!r} of this image ({place}): it is not the version that the script was"
    " written for, or another package with that name."
)
_MISSING = (
    "There is no module {name!r} in this image. If it is a package, the script needs it"
    " (`pip install {on_pypi}`). {how}. If it is a file of your own, put it in the source folder"
    " (AZUREML_SOURCE_DIRECTORY)."
)


def missing_module(error: BaseException) -> "Optional[str]":
    """Return what to do if a failed import caused a script's error; None if no import did.

    Args:
        error: what the script raised.
    """
    cause: "Optional[BaseException]" = error
    while cause is not None and not isinstance(cause, ImportError):
        cause = cause.__cause__
    if cause is None or not cause.name:
        return None
    name = cause.name
    package = name.partition(".")[0]
    if not isinstance(cause, ModuleNotFoundError):
        # For other packages, the traceback says enough.
        return _AZURE_ML.format(name=f"What {name} has", how=_HOW) if _is_stand_in(cause.path) else None
    if package == "azureml":
        return _AZURE_ML.format(name=name, how=_HOW)
    if name != package:
        place = getattr(sys.modules.get(package), "__file__", None) or "a folder without __init__.py"
        return _OTHER_PACKAGE.format(name=name, package=package, place=place)
    return _MISSING.format(name=name, on_pypi=_ON_PYPI.get(name, name), how=_HOW)


def _is_stand_in(path: "Optional[str]") -> bool:
    return path is not None and Path(packages.__file__).parent in Path(path).parents


_MAX_LINES = 50


def describe_model_dir(model_dir: "Optional[str]") -> str:
    """Return some lines about the folder in AZUREML_MODEL_DIR: its files, or that it does not exist."""
    if not model_dir:
        return "AZUREML_MODEL_DIR is not set."
    folder = Path(model_dir)
    if not folder.exists():
        return f"AZUREML_MODEL_DIR is {model_dir!r}, which does not exist (working directory {Path.cwd()})."
    found = list(islice(_files(folder), _MAX_LINES + 1))
    lines = [f"  {file.relative_to(folder)}{'/' if file.is_dir() else ''}" for file in found[:_MAX_LINES]]
    more = ["  …"] if len(found) > _MAX_LINES else []
    return "\n".join(
        [f"AZUREML_MODEL_DIR is {model_dir!r} and holds:", *(sorted(lines) or ["  nothing"]), *more]
    )


def _files(folder: Path) -> "Iterator[Path]":
    # Without the entries that a ConfigMap volume adds: they would list each file twice.
    return (file for file in folder.rglob("*") if ".." not in str(file.relative_to(folder)))
