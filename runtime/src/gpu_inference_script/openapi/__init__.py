"""The answers of swagger.json: the user's own files, or what inference-schema knows of a decorated `run()`.

All are made once, in the script process, which sends them to the front; a request only picks one.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from gpu_inference_script.config import Config
from gpu_inference_script.messages import RUN_FAILED, Answer, error_answer
from gpu_inference_script.openapi.documents import Described, Document, openapi_3, swagger_2

# Of an undecorated run(): its data may be anything.
_ANYTHING: "Document" = {"type": "object", "example": {}}

log = logging.getLogger("gpu_inference")


class SwaggerFileError(Exception):
    """A specification of the user's cannot be served; the text says which file and why."""


# Version, its other names, the user's files for it (the first that is there holds), how it is made.
_KINDS = (
    ("2", ("2", "2.0"), ("swagger.json", "swagger2.json"), swagger_2),
    ("3", ("3", "3.0"), ("swagger3.json",), openapi_3),
    ("3.1", ("3.1",), ("swagger3.1.json",), lambda service: openapi_3(service, "3.1.0")),
)
DEFAULT_VERSION = "2"


def make_documents(config: Config, run: "Callable[..., Any]") -> "Tuple[Dict[str, str], List[str]]":
    """Return the specifications of a service by the names of their versions, and the versions that there are.

    Args:
        config: name, version and path prefix of the service, and the app root with the user's files.
        run: the script's function, as the script has it.

    Raises:
        SwaggerFileError: a file of the user's is not JSON.
    """
    documents: "Dict[str, str]" = {}
    supported: "List[str]" = []
    for version, names, files, make in _KINDS:
        document = _users(Path(config.app_root), files) or _generated(config, run, names, make)
        if document:
            supported.append(version)
            documents.update(dict.fromkeys(names, document))
    log.info("Swaggers are prepared for the following versions: %s.", _listed(supported))
    return documents, supported


class Documents:
    """The specifications of one service.

    Args:
        documents: by the names of their versions.
        supported: the versions that there are.
    """

    def __init__(self, documents: "Dict[str, str]", supported: "List[str]") -> None:
        self._documents = documents
        self._supported = supported

    def answer(self, version: "Optional[str]") -> Answer:
        """Return the specification of a version (2, 3, 3.1 or another name of these; None for 2), or 404."""
        if version is None:
            version = DEFAULT_VERSION
        document = self._documents.get(version)
        if document:
            return Answer(200, document.encode(), ((RUN_FAILED, "False"),))
        if any(version in names for _, names, _, _ in _KINDS):
            return error_answer(
                404,
                f"Swagger version [{version}] is not supported for the scoring script. "
                f"Supported swagger versions: {_listed(self._supported)}.",
            )
        message = f"Swagger version [{version}] is not valid. Supported versions: {_listed(self._supported)}."
        return error_answer(404, message)


def _listed(versions: "List[str]") -> str:
    return f"[{', '.join(versions)}]"


def _users(folder: Path, names: "Tuple[str, ...]") -> "Optional[str]":
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
            return json.dumps(document)
    return None


def _generated(
    config: Config,
    run: "Callable[..., Any]",
    names: "Tuple[str, ...]",
    make: "Callable[[Described], Document]",
) -> "Optional[str]":
    """Return the specification of the script; None where its schema has none of this version."""
    try:
        schemas = _schemas(run, names)
        if schemas is None:
            return None
        name, version = config.service_name, config.service_version
        return json.dumps(make(Described(name, version, config.path_prefix, *schemas)))
    # What a sample is, is the script's own business: it scores all the same.
    except Exception:
        log.exception(
            "There is no specification of version %s: the script's schema cannot be shown", names[0]
        )
        return None


def _schemas(run: "Callable[..., Any]", names: "Tuple[str, ...]") -> "Optional[Tuple[Document, Document]]":
    # A script with a schema has imported it; nobody else needs it, nor the memory.
    if "inference_schema.schema_util" not in sys.modules:
        return _ANYTHING, _ANYTHING
    from inference_schema import schema_util

    if not schema_util.is_schema_decorated(run):
        return _ANYTHING, _ANYTHING
    # Before inference-schema 1.4 a schema was good for every version.
    versions = getattr(schema_util, "get_supported_versions", None)
    if versions is not None and not set(names) & set(versions(run)):
        return None
    return schema_util.get_input_schema(run), schema_util.get_output_schema(run)
