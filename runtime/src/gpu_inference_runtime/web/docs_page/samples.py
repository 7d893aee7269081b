"""Finds the sample requests that come with a script or model, for the page at `/docs`.

A sample is a request body in JSON: the file `sample_request.json`, or any file of a folder `sample-requests/`
except its `expected.json` (the expected responses). Samples are beside the entry script, in the source
folder, in the app root, or in the model's folder; the first of these that has any counts.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from gpu_inference_runtime.settings import Settings

FILE = "sample_request.json"
FOLDER = "sample-requests"
_NOT_A_SAMPLE = "expected.json"
# What the page can show, and a person can choose from.
_MAX_BYTES = 1 << 20
_MAX_SAMPLES = 50


def find_samples(settings: Settings) -> dict[str, Path]:
    """Return the samples by file name, sorted; empty if there are none."""
    for folder in _places(settings):
        if found := {path.name: path for path in islice(_samples_in(folder), _MAX_SAMPLES)}:
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
        # The model's folder below its version; or, with several models, that of each.
        for pattern in ("*", "*/*/*"):
            yield from sorted(path for path in models.glob(pattern) if path.is_dir())


def _samples_in(folder: Path) -> Iterator[Path]:
    files = [folder / FILE, *sorted((folder / FOLDER).glob("*.json"))]
    for path in files:
        if path.name != _NOT_A_SAMPLE and path.is_file() and path.stat().st_size <= _MAX_BYTES:
            yield path
