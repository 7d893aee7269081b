"""`azureml.core` for entry scripts: `Model` is all of it; what else it had works only with Azure."""

import sys
from importlib import import_module
from pkgutil import extend_path
from typing import Any

# Whoever has a part of this package of his own goes first.
_OWN = list(__path__)
__path__ = [*(folder for folder in extend_path(_OWN, __name__) if folder not in _OWN), *_OWN]


if sys.version_info < (3, 7):  # noqa: UP036  (old environments have it)
    # Modules have no `__getattr__` yet.
    from .model import Model as Model


def __getattr__(name: str) -> Any:
    """Return `Model`, or its module, which scripts also reach without importing that."""
    if name not in ("Model", "model"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.model")
    return module if name == "model" else module.Model
