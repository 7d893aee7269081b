"""`sklearn.externals.joblib` for scripts from before scikit-learn 0.23: joblib itself, by its old name.

Its submodules too: models that were saved in those days name `sklearn.externals.joblib.numpy_pickle`, and
joblib can only load them when that is the very module that it has itself.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Sequence

from gpu_inference_script.stand_ins.second_names import second_name

_NAME = "sklearn.externals.joblib"


def offer() -> None:
    """Let that import find joblib, where scikit-learn is there without it."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # Before the others: joblib's own path would give them its submodules a second time.
        sys.meta_path.insert(0, _Finder())


def is_needed() -> bool:
    """Tell whether scikit-learn lacks it and joblib is there; neither is imported."""
    try:
        sklearn, joblib = importlib.util.find_spec("sklearn"), importlib.util.find_spec("joblib")
    except (ImportError, ValueError):
        return False
    if sklearn is None or joblib is None:
        return False
    places = [Path(place, "externals") for place in sklearn.submodule_search_locations or ()]
    return bool(places) and not any(
        (place / "joblib").is_dir() or (place / "joblib.py").is_file() for place in places
    )


class _Finder(MetaPathFinder):
    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[Any]]",  # noqa: ARG002  (the protocol's arguments)
        target: "Optional[ModuleType]" = None,  # noqa: ARG002
    ) -> "Optional[ModuleSpec]":
        if fullname != _NAME and not fullname.startswith(f"{_NAME}."):
            return None
        real = "joblib" + fullname[len(_NAME) :]
        return second_name(fullname, real) if is_needed() else None
