"""Lets a module be imported by a second name; both names refer to the same module object."""

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional


def alias_spec(name: str, real: str) -> ModuleSpec:
    """Return a module spec that imports the module `real` under the name `name`."""
    return ModuleSpec(name, _SameModule(real))


class _SameModule(Loader):
    def __init__(self, real: str) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> "Optional[ModuleType]":  # noqa: ARG002  (the protocol's argument)
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import system returns whatever is in sys.modules now.
        sys.modules[module.__name__] = importlib.import_module(self._real)
