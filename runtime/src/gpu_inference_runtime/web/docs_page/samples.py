"""Finds the sample requests that people ship with their script or model, for the page at `/docs`.

A sample is a request's body in JSON: the file `sample_request.json`, or each file of a folder
`sample-requests/` but for its `expected.json` (the answers to expect). They lie beside the entry script, in
the source folder, in the app root, or in the model's folder; the first place that has any counts.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from gpu_inference_runtime.settings import Settings

FILE = "sample_request.json"
FOLDER = "sample-requests"
_NOT_A_SAMPLE = "expected.json"
# What a page can show and a person can choose from.
_MOST_BYTES = 1 << 20
_MOST_SAMPLES = 50


def find_samples(settings: Settings) -> dict[str, Path]:
    """Return the samples by their file's name, sorted; empty where there are none."""
    for folder in _places(settings):
        if found := {path.name: path for path in islice(_samples_in(folder), _MOST_SAMPLES)}:
            return found
    return {}


def _places(settings: Settings) -> Iterator[Path]:
    root = settings.app_root
    if settings.entry_script:
        yield (root / settings.entry_script).parent
    if settings.source_directory:
        yield root / settings.source_directory
    yield root
    if settings.model_dir:
        models = root / settings.model_dir
        yield models
        # The model's own folder in its version's; and of several models, the same of each.
        for pattern in ("*", "*/*/*"):
            yield from sorted(path for path in models.glob(pattern) if path.is_dir())


def _samples_in(folder: Path) -> Iterator[Path]:
    files = [folder / FILE, *sorted((folder / FOLDER).glob("*.json"))]
    for path in files:
        if path.name != _NOT_A_SAMPLE and path.is_file() and path.stat().st_size <= _MOST_BYTES:
            yield path
