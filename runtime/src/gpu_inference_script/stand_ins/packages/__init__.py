"""Stand-ins for Azure ML packages that entry scripts import; they apply only if the real ones are absent.

This folder goes to the very end of `sys.path`. Its `azureml` has no `__init__.py`, so it is one portion of a
namespace package: a real `azureml` anywhere else on the path wins. The stand-ins are not installed as a
top-level `azureml`, because pip would let them overwrite a real `azureml-core` in the same environment.
"""

import sys
from pathlib import Path


def offer() -> None:
    """Add the folder to the end of `sys.path`."""
    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        # docs/decisions.md 66
        sys.path.append(folder)
