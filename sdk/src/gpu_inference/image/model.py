"""Models for a service's image, and the `--model` argument `NAME[:VERSION]=PATH`."""

from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.names import require_model_name

_FIRST_VERSION = 1


@dataclass(frozen=True)
class Model:
    """One version of a model: a file or a folder, in the pod at `azureml-models/<name>/<version>/<its name>`.

    Raises:
        GpuInferenceError: the name or the version is invalid, or nothing exists at the path.

    Example:
        Model("mnist", Path("models/mnist.onnx"), version=2)
    """

    name: str
    path: Path
    version: int = _FIRST_VERSION

    def __post_init__(self) -> None:
        require_model_name(self.name)
        if self.version < 0:
            raise GpuInferenceError(f"The version of model {self.name} must not be negative: {self.version}.")
        if not self.path.exists():
            raise GpuInferenceError(f"The path of model {self.name} does not exist: {self.path}.")

    @property
    def entry_name(self) -> str:
        """Name of the file or folder, which scripts see in the version's folder."""
        return self.path.absolute().name or self.path.resolve().name


def parse_model(argument: str) -> Model:
    """Return the model of a `--model` argument, e.g. `mnist:2=models/mnist.onnx`.

    Raises:
        GpuInferenceError: the form, name or version is invalid, or nothing exists at the path.
    """
    identity, equals, path = argument.partition("=")
    name, colon, version = identity.partition(":")
    if not equals or not path or (colon and not version.isascii()) or (colon and not version.isdigit()):
        raise GpuInferenceError(
            f"{argument!r} is not a valid model.",
            "Write NAME=PATH or NAME:VERSION=PATH; the version is an integer.",
        )
    return Model(name, Path(path), int(version) if colon else _FIRST_VERSION)


def require_distinct(models: list[Model]) -> None:
    """Raise GpuInferenceError if two models have the same name and version."""
    seen: dict[tuple[str, int], Model] = {}
    for model in models:
        other = seen.setdefault((model.name, model.version), model)
        if other is not model:
            raise GpuInferenceError(
                f"Model {model.name}, version {model.version}, is given twice: {other.path}, {model.path}. "
                "A version has exactly one file or folder.",
                "Give one of them another version, or put both into one folder.",
            )
