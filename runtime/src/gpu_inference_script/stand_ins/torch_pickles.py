"""Lets `torch.load` load whole pickled models, as before PyTorch 2.6; v1's scripts need that.

Loading such a model can run code. The model comes from the same source as the script, and v1 trusted both.
"""

import importlib.util
import os

# docs/decisions.md 71
VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
# If one of these is set, the user has decided. PyTorch refuses to load anything if both are set.
_DECISIONS = (VARIABLE, "TORCH_FORCE_WEIGHTS_ONLY_LOAD")


def allow() -> None:
    """Set the variable that PyTorch reads at each load, if `is_needed`."""
    if is_needed():
        os.environ[VARIABLE] = "1"


def is_needed() -> bool:
    """Return whether PyTorch is installed and the environment leaves the choice open."""
    if any(name in os.environ for name in _DECISIONS):
        return False
    try:
        return importlib.util.find_spec("torch") is not None
    except (ImportError, ValueError):
        return False
