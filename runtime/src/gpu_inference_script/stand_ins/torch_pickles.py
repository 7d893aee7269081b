"""Lets `torch.load` take whole pickled models, as it did before PyTorch 2.6: v1's scripts need it.

A model's file runs code when it is loaded like this. It comes from where the script comes from, and v1
trusted both.
"""

import importlib.util
import os

# docs/decisions.md 71
VARIABLE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
# Whoever set one of the two has decided; PyTorch refuses to load anything where both are set.
_DECISIONS = (VARIABLE, "TORCH_FORCE_WEIGHTS_ONLY_LOAD")


def allow() -> None:
    """Set the variable that PyTorch reads at each load, where PyTorch is there and the user said nothing."""
    if is_needed():
        os.environ[VARIABLE] = "1"


def is_needed() -> bool:
    """Tell whether PyTorch is there and its environment leaves the question open."""
    if any(name in os.environ for name in _DECISIONS):
        return False
    try:
        return importlib.util.find_spec("torch") is not None
    except (ImportError, ValueError):
        return False
