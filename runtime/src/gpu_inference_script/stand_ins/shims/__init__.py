"""Stand-ins for Azure ML packages that entry scripts import, in effect only where the real ones are absent.

This folder goes to the very end of `sys.path`. `azureml` in it has no `__init__.py`, so it is one portion of
a namespace package: a real `azureml` anywhere else on the path wins. The stand-ins are not installed as a
top-level `azureml`, because pip would let them overwrite a real `azureml-core` in the same environment.
"""

import sys
from pathlib import Path


def offer() -> None:
    """Let imports fall back on the stand-ins."""
    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        # docs/decisions.md 66
        sys.path.append(folder)
