"""Builds a service's image: the runtime image plus the user's source folder and models, in v1's layout."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import tree
from gpu_inference.image.engine import BuiltImage, as_built_image
from gpu_inference.image.entry_script import require_entry_script
from gpu_inference.image.model import Model, require_distinct
from gpu_inference.names import require_service_name
from gpu_inference.paths import cache_directory
from gpu_inference.progress import Progress, Silent

APP_ROOT = "/var/azureml-app"
_MODELS = "azureml-models"
# The runtime image's user and group. It owns the files, so that it can read files with mode 0600.
_OWNER = "10001:0"


@dataclass(frozen=True)
class ServiceSource:
    """The user's source folder, entry script and models, validated.

    Raises:
        GpuInferenceError: the name, the folder, the script or a model is invalid.
    """

    name: str
    source_directory: Path
    entry_script: str
    models: Sequence[Model] = ()

    def __post_init__(self) -> None:
        require_service_name(self.name)
        require_entry_script(self.source_directory, self.entry_script)
        require_distinct(list(self.models))
        if self.folder in ("", _MODELS):
            raise GpuInferenceError(
                f"The source folder cannot be called {self.folder or '/'!r} in the image.",
                "Rename it.",
            )

    @property
    def folder(self) -> str:
        """Name of the source folder, also in the image."""
        return self.source_directory.absolute().name or self.source_directory.resolve().name

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the image with the locations of the script and the models."""
        variables = {
            "AML_APP_ROOT": APP_ROOT,
            "AZUREML_SOURCE_DIRECTORY": self.folder,
            "AZUREML_ENTRY_SCRIPT": f"{self.folder}/{Path(self.entry_script)}",
        }
        if len(self.models) == 1:
            [model] = self.models
            variables["AZUREML_MODEL_DIR"] = f"{APP_ROOT}/{_MODELS}/{model.name}/{model.version}"
        elif self.models:
            variables["AZUREML_MODEL_DIR"] = f"{APP_ROOT}/{_MODELS}"
        return variables


def service_image(
    name: str,
    source_directory: Path,
    entry_script: str,
    models: Sequence[Model],
    base: BuiltImage,
    *,
    progress: Progress | None = None,
) -> BuiltImage:
    """Return the image of a service; build it with the engine of `base` if its inputs have changed.

    Args:
        name: the service's name.
        source_directory: the folder with the entry script; all of it is copied into the image.
        entry_script: the script's path relative to `source_directory`.
        models: models that the script finds under AZUREML_MODEL_DIR.
        base: the runtime image to build on.
        progress: receives the steps. Default: they are not shown.

    Raises:
        GpuInferenceError: an argument is invalid (nothing was built then), or the build fails.
    """
    source = ServiceSource(name, source_directory, entry_script, models)
    dockerfile = _dockerfile(source, base.reference)
    parts = [dockerfile, base.image_id, tree.digest(source_directory)]
    parts += [f"{model.name}:{model.version}:{tree.digest(model.path)}" for model in models]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    reference = f"docker.io/library/gpu-inference-{name}:{key[:12]}"
    stored = base.engine.find(reference)
    if stored is None or stored.content != key:
        with (progress or Silent()).step(f"Service image gpu-inference-{name}:{key[:12]}"):
            # In the cache folder, not in /tmp: models are large, and hard links need the same file system.
            cache_directory().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="service-image-", dir=cache_directory()) as scratch:
                context = Path(scratch)
                _stage(source, context)
                (context / "Dockerfile").write_text(dockerfile)
                stored = base.engine.build(reference, context, content=key)
    return as_built_image(stored, base.engine)


def _stage(source: ServiceSource, context: Path) -> None:
    tree.copy(source.source_directory, context / "source" / source.folder)
    for model in source.models:
        folder = context / "models" / _MODELS / model.name / str(model.version)
        tree.copy(model.path, folder / model.entry_name)


def _dockerfile(source: ServiceSource, base: str) -> str:
    lines = [f"FROM {base}"]
    # Models first: they are large and change less often than the script.
    if source.models:
        lines.append(f'COPY --chown={_OWNER} ["models/", "{APP_ROOT}/"]')
    lines.append(f'COPY --chown={_OWNER} ["source/", "{APP_ROOT}/"]')
    lines += [f"ENV {name}={_quote(value)}" for name, value in source.environment.items()]
    lines.append(f"WORKDIR {APP_ROOT}")
    return "\n".join(lines) + "\n"


def _quote(value: str) -> str:
    # Escape dollar signs: Docker would expand them as variables.
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")
