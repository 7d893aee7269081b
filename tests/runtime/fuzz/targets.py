"""The servers that are fuzzed: scripts of each kind, bare and with azureml's front end."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.runtime.fuzz.wire import WireAnswer
from tests.runtime.server_process import Server, StartServer

# Stands in bodies, queries, wrong keys and headers that nobody asked for: no error and no log line has it.
CANARY = "canary5f1c"
KEY = "fuzz-primary-9b2e"
SECOND_KEY = "fuzz-secondary-77d0"

ECHO = """
def init(): pass
def run(data): return data
"""
SCHEMA = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
def init(): pass
@input_schema("rows", NumpyParameterType(np.array([[1.5, 2.5]]), enforce_shape=False))
@input_schema("name", StandardPythonParameterType("a name"))
@output_schema(StandardPythonParameterType({"shape": [1, 2], "name": "a name"}))
def run(rows, name="none"):
    return {"shape": list(rows.shape), "name": name}
"""
RAW = """
import json
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from flask import Response
def init(): pass
@rawhttp
def run(request):
    body = request.get_data()
    if request.args.get("stream"):
        return Response((chunk for chunk in [b"a", b"", body, b"z"]), mimetype="application/octet-stream")
    seen = {"bytes": len(body), "files": len(request.files), "fields": len(request.form)}
    seen |= {"path": len(request.full_path), "headers": len(dict(request.headers)), "is": request.method}
    return AMLResponse(seen, 200, json_str=True)
"""


@dataclass(frozen=True)
class Kind:
    """What is fuzzed.

    Args:
        script: its text.
        settings: environment variables of the server, without the keys' folder.
        asks_key: whether scoring needs the key.
        usual: a body that the script answers with 200.
        check: tells, of a body sent in a request that nothing is wrong with, whether this is its answer.
    """

    script: str
    usual: bytes
    check: Callable[[bytes, WireAnswer], None]
    settings: dict[str, str] = field(default_factory=dict)
    asks_key: bool = False

    def start(self, start: StartServer, folder: Path) -> Server:
        """Return a running server that is ready."""
        settings = dict(self.settings)
        if self.asks_key:
            folder.mkdir()
            (folder / "primaryKey").write_text(KEY)
            (folder / "secondaryKey").write_text(SECOND_KEY)
            settings["GPU_INFERENCE_KEYS_DIR"] = str(folder)
        server = start(self.script, **settings)
        server.wait_ready()
        return server


# Small, so that a few bytes go over it.
BODY_LIMIT = 4096
_FRONT_END = {
    "GPU_INFERENCE_FRONT_END": "azureml",
    "GPU_INFERENCE_MAX_BODY_BYTES": str(BODY_LIMIT),
    # The load of other tests must not turn into 503.
    "GPU_INFERENCE_MAX_QUEUE_WAIT_MS": "60000",
    "AML_CORS_ORIGINS": "http://page.example",
}


def _check_echo(body: bytes, answer: WireAnswer) -> None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        assert answer.status == 400, answer
        return
    assert answer.status == 200, answer
    assert json.loads(answer.body) == text


def _check_schema(body: bytes, answer: WireAnswer) -> None:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    might_fit = isinstance(content, dict) and "rows" in content
    assert answer.status == 400 or (might_fit and answer.status == 200), answer


def _check_raw(body: bytes, answer: WireAnswer) -> None:
    assert answer.status == 200, answer
    seen = json.loads(answer.body)
    assert (seen["bytes"], seen["is"], seen["path"] > 0) == (len(body), "POST", True)


_ROWS = b'{"rows": [[1.0, 2.0]], "name": "x"}'
KINDS = {
    "echo": Kind(ECHO, b"hello", _check_echo),
    "echo with keys": Kind(ECHO, b"hello", _check_echo, _FRONT_END, asks_key=True),
    "schema with keys": Kind(SCHEMA, _ROWS, _check_schema, _FRONT_END, asks_key=True),
    "rawhttp": Kind(RAW, b"x", _check_raw),
}
LONG_KINDS = KINDS | {
    "rawhttp with keys": Kind(RAW, b"x", _check_raw, _FRONT_END, asks_key=True),
}
