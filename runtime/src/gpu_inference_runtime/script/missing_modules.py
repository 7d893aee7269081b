"""Says what to do about a module that a script imports and the image does not have."""

import sys
from pathlib import Path

from gpu_inference_runtime.stand_ins import shims

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


def missing_module(error: BaseException) -> str | None:
    """Return what to do about the import that an error of a script comes from; None where it is no import.

    Args:
        error: what the script raised, or what it raised that from.
    """
    cause: BaseException | None = error
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


def _is_stand_in(path: str | None) -> bool:
    return path is not None and Path(path).is_relative_to(Path(shims.__file__).parent)
