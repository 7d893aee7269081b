"""Tells what lies in the model's folder, for the log of a script that failed: mostly it is a wrong path."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_MOST_LINES = 50


def describe_model_dir(model_dir: str | None) -> str:
    """Return a few lines about the folder that AZUREML_MODEL_DIR names: its files, or that it is missing."""
    if not model_dir:
        return "AZUREML_MODEL_DIR is not set."
    folder = Path(model_dir)
    if not folder.exists():
        return f"AZUREML_MODEL_DIR is {model_dir!r}, which does not exist (working directory {Path.cwd()})."
    found = list(islice(_files(folder), _MOST_LINES + 1))
    lines = [f"  {file.relative_to(folder)}{'/' if file.is_dir() else ''}" for file in found[:_MOST_LINES]]
    more = ["  …"] if len(found) > _MOST_LINES else []
    return "\n".join(
        [f"AZUREML_MODEL_DIR is {model_dir!r} and holds:", *(sorted(lines) or ["  nothing"]), *more]
    )


def _files(folder: Path) -> Iterator[Path]:
    # What a ConfigMap's volume keeps beside its files would show each of them twice.
    return (file for file in folder.rglob("*") if ".." not in str(file.relative_to(folder)))
