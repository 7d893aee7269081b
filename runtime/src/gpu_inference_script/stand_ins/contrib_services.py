"""Brings `azureml.contrib.services.aml_request` and `aml_response` to entry scripts, always our own.

They win over installed ones, as in v1's server, since `@rawhttp` has to reach this server. Newer scripts
import them from `azureml_inference_server_http.api`: by that name they are the same modules.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Sequence

from gpu_inference_script.stand_ins import shims
from gpu_inference_script.stand_ins.second_names import second_name

_PACKAGE = "azureml.contrib.services"
_FOLDER = Path(shims.__file__).parent.joinpath(*_PACKAGE.split("."))
_FILES = {f"{_PACKAGE}.{name}": _FOLDER / f"{name}.py" for name in ("aml_request", "aml_response")}
_OTHER_PACKAGE = "azureml_inference_server_http.api"
_OTHER_NAMES = {f"{_OTHER_PACKAGE}.{name.rpartition('.')[2]}": name for name in _FILES}
_PARENTS = frozenset(
    {"azureml", "azureml.contrib", _PACKAGE, _OTHER_PACKAGE, _OTHER_PACKAGE.partition(".")[0]}
)


def offer() -> None:
    """Let scripts find them from now on."""
    if not any(isinstance(finder, _First) for finder in sys.meta_path):
        sys.meta_path.insert(0, _First())
        sys.meta_path.append(_Last())


class _First(MetaPathFinder):
    """Finds the modules before anybody else does."""

    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[Any]]",  # noqa: ARG002  (the protocol's arguments)
        target: "Optional[ModuleType]" = None,  # noqa: ARG002
    ) -> "Optional[ModuleSpec]":
        if fullname in _FILES:
            return importlib.util.spec_from_file_location(fullname, _FILES[fullname])
        real = _OTHER_NAMES.get(fullname)
        return second_name(fullname, real) if real else None


class _Last(MetaPathFinder):
    """Makes up the packages around the modules where nobody has them: without contents of their own."""

    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[Any]]",  # noqa: ARG002
        target: "Optional[ModuleType]" = None,  # noqa: ARG002
    ) -> "Optional[ModuleSpec]":
        return ModuleSpec(fullname, None, is_package=True) if fullname in _PARENTS else None
