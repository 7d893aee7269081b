"""Provides `azureml.contrib.services.aml_request` and `aml_response` for entry scripts.

As in v1's server, they take precedence over installed ones, because `@rawhttp` has to work with this server.
Newer scripts import the same modules as `azureml_inference_server_http.api`.
"""

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Sequence

from gpu_inference_script.stand_ins import packages
from gpu_inference_script.stand_ins.module_alias import alias_spec

_PACKAGE = "azureml.contrib.services"
_FOLDER = Path(packages.__file__).parent.joinpath(*_PACKAGE.split("."))
_FILES = {f"{_PACKAGE}.{name}": _FOLDER / f"{name}.py" for name in ("aml_request", "aml_response")}
_OTHER_PACKAGE = "azureml_inference_server_http.api"
_OTHER_NAMES = {f"{_OTHER_PACKAGE}.{name.rpartition('.')[2]}": name for name in _FILES}
_PARENTS = frozenset(
    {"azureml", "azureml.contrib", _PACKAGE, _OTHER_PACKAGE, _OTHER_PACKAGE.partition(".")[0]}
)


def offer() -> None:
    """Install the import finders."""
    if not any(isinstance(finder, _First) for finder in sys.meta_path):
        sys.meta_path.insert(0, _First())
        sys.meta_path.append(_Last())


class _First(MetaPathFinder):
    """Finds the modules before any other finder."""

    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[Any]]",  # noqa: ARG002  (the protocol's arguments)
        target: "Optional[ModuleType]" = None,  # noqa: ARG002
    ) -> "Optional[ModuleSpec]":
        if fullname in _FILES:
            return importlib.util.spec_from_file_location(fullname, _FILES[fullname])
        real = _OTHER_NAMES.get(fullname)
        return alias_spec(fullname, real) if real else None


class _Last(MetaPathFinder):
    """Provides empty packages around the modules if no other finder has them."""

    def find_spec(
        self,
        fullname: str,
        path: "Optional[Sequence[Any]]",  # noqa: ARG002
        target: "Optional[ModuleType]" = None,  # noqa: ARG002
    ) -> "Optional[ModuleSpec]":
        return ModuleSpec(fullname, None, is_package=True) if fullname in _PARENTS else None
