"""Hints for the log of a script that failed: which module is missing, and what the model's folder holds."""

import sys
from itertools import islice
from pathlib import Path
from typing import Iterator, Optional

from gpu_inference_script.stand_ins import shims

# Packages whose name on PyPI is not the one that is imported.
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
    "Install it in the image that the service's is built on (`gpu-inference deploy --base-image`;"
    " `--framework` brings some packages by itself)"
)
_AZURE_ML = (
    "{name} of Azure ML's SDK is not in this image: the server itself has only azureml.core.model.Model,"
    " azureml.monitoring.ModelDataCollector and azureml.contrib.services. If the script does not use more"
    " than that, take the import out. Otherwise its package is needed (azureml.core is in azureml-core, and"
    " so on). {how}."
)
_OTHER_PACKAGE = (
    "There is no {name!r} in {package!r} of this image ({place}): that is another version than the script was"
    " written for, or another package of that name."
)
_MISSING = (
    "There is no module {name!r} in this image. If it is a package, it is needed (`pip install {on_pypi}`)."
    " {how}. If it is a file of your own, it belongs in the source folder (AZUREML_SOURCE_DIRECTORY)."
)


def missing_module(error: BaseException) -> "Optional[str]":
    """Return what to do about the import that an error of a script comes from; None where it is no import.

    Args:
        error: what the script raised, or what it raised that from.
    """
    cause: "Optional[BaseException]" = error
    while cause is not None and not isinstance(cause, ImportError):
        cause = cause.__cause__
    if cause is None or not cause.name:
        return None
    name = cause.name
    package = name.partition(".")[0]
    if not isinstance(cause, ModuleNotFoundError):
        # Of other packages the traceback says enough: what there is, is there.
        return _AZURE_ML.format(name=f"What {name} has", how=_HOW) if _is_stand_in(cause.path) else None
    if package == "azureml":
        return _AZURE_ML.format(name=name, how=_HOW)
    if name != package:
        place = getattr(sys.modules.get(package), "__file__", None) or "a folder without __init__.py"
        return _OTHER_PACKAGE.format(name=name, package=package, place=place)
    return _MISSING.format(name=name, on_pypi=_ON_PYPI.get(name, name), how=_HOW)


def _is_stand_in(path: "Optional[str]") -> bool:
    return path is not None and Path(shims.__file__).parent in Path(path).parents


_MOST_LINES = 50


def describe_model_dir(model_dir: "Optional[str]") -> str:
    """Return a few lines about the folder that AZUREML_MODEL_DIR names: its files, or that it is missing."""
    if not model_dir:
        return "AZUREML_MODEL_DIR is not set."
    folder = Path(model_dir)
    if not folder.exists():
        return f"AZUREML_MODEL_DIR is {model_dir!r}, which does not exist (working directory {Path.cwd()})."
    found = list(islice(_files(folder), _MOST_LINES + 1))
    lines = [f"  {file.relative_to(folder)}{'/' if file.is_dir() else ''}" for file in found[:_MOST_LINES]]
    more = ["  …"] if len(found) > _MOST_LINES else []
    return "\n".join(
        [f"AZUREML_MODEL_DIR is {model_dir!r} and holds:", *(sorted(lines) or ["  nothing"]), *more]
    )


def _files(folder: Path) -> "Iterator[Path]":
    # What a ConfigMap's volume keeps beside its files would show each of them twice.
    return (file for file in folder.rglob("*") if ".." not in str(file.relative_to(folder)))
