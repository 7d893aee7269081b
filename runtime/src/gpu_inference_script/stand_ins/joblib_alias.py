"""`sklearn.externals.joblib` for scripts from before scikit-learn 0.23: an alias of joblib.

Submodules are aliases too: old models name `sklearn.externals.joblib.numpy_pickle`, and joblib can load them
only if that is its own module object.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Sequence

from gpu_inference_script.stand_ins.module_alias import alias_spec

_NAME = "sklearn.externals.joblib"


def offer() -> None:
    """Install the alias; it has an effect if scikit-learn is installed and does not include joblib."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # First: other finders would import joblib's submodules a second time.
        sys.meta_path.insert(0, _Finder())


def is_needed() -> bool:
    """Return whether scikit-learn lacks this module and joblib is installed; neither is imported."""
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
        return alias_spec(fullname, real) if is_needed() else None
