"""A model as the user names it: `NAME=PATH` or `NAME:VERSION=PATH`, a file or a folder."""

from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.names import require_model_name

_FIRST_VERSION = 1


@dataclass(frozen=True)
class Model:
    """One version of a model; the pod finds it under `azureml-models/<name>/<version>/<file or folder>`."""

    name: str
    path: Path
    version: int = _FIRST_VERSION

    def __post_init__(self) -> None:
        require_model_name(self.name)
        if self.version < 0:
            raise GpuInferenceError(f"The version of model {self.name} must not be negative: {self.version}.")
        if not self.path.exists():
            raise GpuInferenceError(f"The model {self.name} is not at {self.path}: no such file or folder.")

    @property
    def entry_name(self) -> str:
        """The file's or folder's own name, which scripts see below the version's folder."""
        return self.path.absolute().name or self.path.resolve().name


def parse_model(argument: str) -> Model:
    """Return the model that a `--model` argument names.

    Raises:
        GpuInferenceError: the form, name or version is wrong, or nothing lies at the path.
    """
    identity, equals, path = argument.partition("=")
    name, colon, version = identity.partition(":")
    if not equals or not path or (colon and not version.isascii()) or (colon and not version.isdigit()):
        raise GpuInferenceError(
            f"{argument!r} does not name a model.",
            "Write NAME=PATH or NAME:VERSION=PATH, with an integer as version.",
        )
    return Model(name, Path(path), int(version) if colon else _FIRST_VERSION)


def require_distinct(models: list[Model]) -> None:
    """Raise GpuInferenceError when two models would lie in one version's folder."""
    seen: dict[tuple[str, int], Model] = {}
    for model in models:
        other = seen.setdefault((model.name, model.version), model)
        if other is not model:
            raise GpuInferenceError(
                f"Model {model.name}, version {model.version}, is given twice: {other.path}, {model.path}. "
                "A version holds exactly one file or folder.",
                "Give one of them another version, or put both into one folder.",
            )
