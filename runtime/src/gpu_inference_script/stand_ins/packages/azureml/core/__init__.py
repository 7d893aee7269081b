"""`azureml.core` for entry scripts: only `Model`; everything else needs Azure."""

import sys
from importlib import import_module
from pkgutil import extend_path
from typing import Any

# Parts of this package elsewhere on the path take precedence.
_OWN = list(__path__)
__path__ = [*(folder for folder in extend_path(_OWN, __name__) if folder not in _OWN), *_OWN]


if sys.version_info < (3, 7):  # noqa: UP036  (old environments have it)
    # Python 3.6 has no `__getattr__` for modules.
    from .model import Model as Model


def __getattr__(name: str) -> Any:
    """Return `Model` or its module; scripts also use the module without importing it."""
    if name not in ("Model", "model"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.model")
    return module if name == "model" else module.Model
