"""The answers of swagger.json: the user's own files, or what inference-schema knows of a decorated `run()`.

All are made once, on the script's thread, and kept as bytes; a request only picks one.
"""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gpu_inference_runtime.messages import RUN_FAILED, Answer, error_answer
from gpu_inference_runtime.service.swagger_documents import Described, Document, openapi_3, swagger_2
from gpu_inference_runtime.settings import Settings

# Of an undecorated run(): its data may be anything.
_ANYTHING: Document = {"type": "object", "example": {}}

log = logging.getLogger("gpu_inference")


class SwaggerFileError(Exception):
    """A specification of the user's cannot be served; the text says which file and why."""


# Version, its other names, the user's files for it (the first that is there holds), how it is made.
_KINDS: tuple[tuple[str, tuple[str, ...], tuple[str, ...], Callable[[Described], Document]], ...] = (
    ("2", ("2", "2.0"), ("swagger.json", "swagger2.json"), swagger_2),
    ("3", ("3", "3.0"), ("swagger3.json",), openapi_3),
    ("3.1", ("3.1",), ("swagger3.1.json",), lambda service: openapi_3(service, "3.1.0")),
)
DEFAULT_VERSION = "2"


class Swagger:
    """The specifications of one service.

    Args:
        settings: name, version and path prefix of the service, and the app root with the user's files.
        run: the script's function, as the script has it.

    Raises:
        SwaggerFileError: a file of the user's is not JSON.
    """

    def __init__(self, settings: Settings, run: Callable[..., Any]) -> None:
        self._documents: dict[str, bytes] = {}
        self._supported: list[str] = []
        for version, names, files, make in _KINDS:
            document = _users(settings.app_root, files) or _generated(settings, run, names, make)
            if document:
                self._supported.append(version)
                self._documents |= dict.fromkeys(names, document)
        log.info("Swaggers are prepared for the following versions: %s.", self._list())

    def answer(self, version: str | None) -> Answer:
        """Return the specification of a version (2, 3, 3.1 or another name of these; None for 2), or 404."""
        if version is None:
            version = DEFAULT_VERSION
        if document := self._documents.get(version):
            return Answer(200, document, ((RUN_FAILED, "False"),))
        if any(version in names for _, names, _, _ in _KINDS):
            return error_answer(
                404,
                f"Swagger version [{version}] is not supported for the scoring script. "
                f"Supported swagger versions: {self._list()}.",
            )
        message = f"Swagger version [{version}] is not valid. Supported versions: {self._list()}."
        return error_answer(404, message)

    def _list(self) -> str:
        return f"[{', '.join(self._supported)}]"


def path_prefix(settings: Settings) -> str:
    """Return what the paths of the specification begin with: as azureml-fe served them, unless it is set."""
    prefix = settings.service_path_prefix.strip("/")
    if not prefix and settings.front_end == "azureml":
        prefix = f"api/v1/service/{quote(settings.service_name)}"
    return f"/{prefix}" if prefix else ""


def _users(folder: Path, names: tuple[str, ...]) -> bytes | None:
    for name in names:
        path = folder / name
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise SwaggerFileError(
                f"The service's specification {path} cannot be read as JSON: {error}. Mend or remove it."
            ) from None
        if document:
            log.info("Loaded the service's specification from %s", path)
            return json.dumps(document).encode()
    return None


def _generated(
    settings: Settings,
    run: Callable[..., Any],
    names: tuple[str, ...],
    make: Callable[[Described], Document],
) -> bytes | None:
    """Return the specification of the script; None where its schema has none of this version."""
    try:
        schemas = _schemas(run, names)
        if schemas is None:
            return None
        name, version = settings.service_name, settings.service_version
        return json.dumps(make(Described(name, version, path_prefix(settings), *schemas))).encode()
    # What a sample is, is the script's own business: it scores all the same.
    except Exception:
        log.exception(
            "There is no specification of version %s: the script's schema cannot be shown", names[0]
        )
        return None


def _schemas(run: Callable[..., Any], names: tuple[str, ...]) -> tuple[Document, Document] | None:
    # A script with a schema has imported it; nobody else needs it, nor the memory.
    if "inference_schema.schema_util" not in sys.modules:
        return _ANYTHING, _ANYTHING
    from inference_schema import schema_util

    if not schema_util.is_schema_decorated(run):
        return _ANYTHING, _ANYTHING
    if not set(names) & set(schema_util.get_supported_versions(run)):
        return None
    return schema_util.get_input_schema(run), schema_util.get_output_schema(run)
