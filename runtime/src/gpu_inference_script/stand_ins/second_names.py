"""Lets a module be imported by a second name: both names are the very same module."""

import importlib
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional


def second_name(name: str, real: str) -> ModuleSpec:
    """Return what a finder answers for `name`: the module `real`, which is imported only then."""
    return ModuleSpec(name, _SameModule(real))


class _SameModule(Loader):
    def __init__(self, real: str) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> "Optional[ModuleType]":  # noqa: ARG002  (the protocol's argument)
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what stands in sys.modules now for the module that was asked for.
        sys.modules[module.__name__] = importlib.import_module(self._real)
