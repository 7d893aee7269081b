"""The content of swagger.json: the user's own files, or generated from the schema of a decorated `run()`.

The script process makes all versions once and sends them to the front; a request just selects one.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from gpu_inference_script.config import Config
from gpu_inference_script.openapi.documents import Described, Document, openapi_3, swagger_2
from gpu_inference_script.response import RUN_FAILED, Response, error_response

# The schema of an undecorated run(), which may take and return anything.
_ANYTHING: "Document" = {"type": "object", "example": {}}

log = logging.getLogger("gpu_inference")


class SwaggerFileError(Exception):
    """A specification file of the user cannot be served; the text says which file and why."""


# Version, its names, the user's files for it (the first that exists counts), and its generator.
_KINDS = (
    ("2", ("2", "2.0"), ("swagger.json", "swagger2.json"), swagger_2),
    ("3", ("3", "3.0"), ("swagger3.json",), openapi_3),
    ("3.1", ("3.1",), ("swagger3.1.json",), lambda service: openapi_3(service, "3.1.0")),
)
DEFAULT_VERSION = "2"


def make_documents(config: Config, run: "Callable[..., Any]") -> "Tuple[Dict[str, str], List[str]]":
    """Return the specifications of a service by version name, and the supported versions.

    Args:
        config: name, version and path prefix of the service, and the app root with the user's files.
        run: the script's `run()`, with its decorators.

    Raises:
        SwaggerFileError: a file of the user is not JSON.
    """
    documents: "Dict[str, str]" = {}
    supported: "List[str]" = []
    for version, names, files, make in _KINDS:
        document = _user_document(Path(config.app_root), files) or _generated(config, run, names, make)
        if document:
            supported.append(version)
            documents.update(dict.fromkeys(names, document))
    log.info("Swaggers are prepared for the following versions: %s.", _listed(supported))
    return documents, supported


class Documents:
    """The specifications of one service.

    Args:
        documents: the specifications by version name.
        supported: the supported versions.
    """

    def __init__(self, documents: "Dict[str, str]", supported: "List[str]") -> None:
        self._documents = documents
        self._supported = supported

    def answer(self, version: "Optional[str]") -> Response:
        """Return the response with a version's specification, or 404.

        Args:
            version: 2, 3, 3.1 or another name of these; None for 2.
        """
        if version is None:
            version = DEFAULT_VERSION
        document = self._documents.get(version)
        if document:
            return Response(200, document.encode(), ((RUN_FAILED, "False"),))
        if any(version in names for _, names, _, _ in _KINDS):
            return error_response(
                404,
                f"Swagger version [{version}] is not supported for the scoring script. "
                f"Supported swagger versions: {_listed(self._supported)}.",
            )
        message = f"Swagger version [{version}] is not valid. Supported versions: {_listed(self._supported)}."
        return error_response(404, message)


def _listed(versions: "List[str]") -> str:
    return f"[{', '.join(versions)}]"


def _user_document(folder: Path, names: "Tuple[str, ...]") -> "Optional[str]":
    for name in names:
        path = folder / name
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise SwaggerFileError(
                f"The service's specification {path} cannot be read as JSON: {error}. Fix or remove it."
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
    """Return the generated specification; None if the script's schema does not support this version."""
    try:
        schemas = _schemas(run, names)
        if schemas is None:
            return None
        name, version = config.service_name, config.service_version
        return json.dumps(make(Described(name, version, config.path_prefix, *schemas)))
    # The samples in the script's schema may be anything. The script can score without a specification.
    except Exception:
        log.exception(
            "There is no specification of version %s: it cannot be generated from the script's schema",
            names[0],
        )
        return None


def _schemas(run: "Callable[..., Any]", names: "Tuple[str, ...]") -> "Optional[Tuple[Document, Document]]":
    # Do not import inference-schema: a script with a schema has, and others need not spend the memory.
    if "inference_schema.schema_util" not in sys.modules:
        return _ANYTHING, _ANYTHING
    from inference_schema import schema_util

    if not schema_util.is_schema_decorated(run):
        return _ANYTHING, _ANYTHING
    # Before inference-schema 1.4, every schema supported every version.
    versions = getattr(schema_util, "get_supported_versions", None)
    if versions is not None and not set(names) & set(versions(run)):
        return None
    return schema_util.get_input_schema(run), schema_util.get_output_schema(run)
