"""The kinds of requests whose memory is watched: which server, what is sent, and how it is answered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.runtime.memory.growth import growth
from tests.runtime.memory.load import request, send_all
from tests.runtime.server_process import Server, StartServer

_KEY = "memory-key"
TEXT = """
import time
def init(): pass
def run(data):
    if data == "late":
        time.sleep(10)
    if data == "fail":
        raise ValueError("it was asked for")
    return data
"""
SCHEMA = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema
def init(): pass
@input_schema("data", NumpyParameterType(np.array([[1.5, 2.5]]), enforce_shape=False))
def run(data): return data.sum(axis=1).tolist()
"""
RAW = """
from azureml.contrib.services.aml_request import rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from flask import Response
def init(): pass
@rawhttp
def run(request):
    if request.args:
        return Response((b"part" * 100 for _ in range(5)), mimetype="text/plain")
    if request.files:
        return [request.files["f"].read().hex()[:9], request.form["a"]]
    return AMLResponse(request.get_data().hex(), 200)
"""
# Keeps a little of each request, as a cache without a limit does.
LEAKING = """
kept = []
def init(): pass
def run(data):
    kept.append(data * 20)
    return data
"""
_MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="f.png"\r\n\r\n'
    + b"\x89PNG" * 400
    + b"\r\n--b--\r\n"
)
_ROWS = [json.dumps({"data": [[number, 2.5]] * 20}).encode() for number in range(10)]
_TEXTS = [b"text %d " % number * 20 for number in range(10)]
_post = partial(request, key=_KEY)


@dataclass(frozen=True)
class Kind:
    """Requests of one kind.

    Args:
        script: the server's.
        requests: bytes of each, sent in turn.
        statuses: of the answers.
        share: of the number of requests that others are sent in, where one takes long.
        settings: environment variables of the server.
        scale: what growth is divided by, where some copies of a body, which come and go, are much.
    """

    script: str
    requests: Sequence[bytes]
    statuses: Sequence[int] = (200,)
    share: float = 1.0
    settings: dict[str, str] = field(default_factory=dict)
    scale: float = 1.0

    def start(self, start: StartServer, keys: Path) -> Server:
        """Return a server that is ready."""
        keys.mkdir()
        (keys / "primaryKey").write_text(_KEY)
        front_end = {"GPU_INFERENCE_FRONT_END": "azureml", "GPU_INFERENCE_KEYS_DIR": str(keys)}
        front_end["GPU_INFERENCE_MAX_QUEUE_WAIT_MS"] = "60000"
        server = start(self.script, **front_end | self.settings)
        server.wait_ready()
        return server

    def growth(self, server: Server, count: int) -> float:
        """Return the bytes by which the server grows with each of `count` requests, divided by the scale."""

        def send(number: int) -> None:
            send_all(server.port, self.requests, number, self.statuses)

        return growth(server.process.pid, round(count * self.share), send) / self.scale


KINDS = {
    "text": Kind(TEXT, [_post(body) for body in _TEXTS]),
    "schema": Kind(SCHEMA, [_post(body) for body in _ROWS]),
    "raw bytes": Kind(RAW, [_post(bytes([number]) * 300, "image/png") for number in range(10)]),
    "multipart": Kind(RAW, [_post(_MULTIPART, "multipart/form-data; boundary=b")]),
    "streamed answer": Kind(RAW, [_post(b"", target="/score?stream=1")]),
    "5 MB": Kind(TEXT, [_post(b"x" * 5_000_000)], share=0.01, scale=10_000),
    "wrong key": Kind(TEXT, [request(b"text", key="another"), request(b"text")], (401,)),
    "not UTF-8, or no such path": Kind(TEXT, [_post(b"\xff"), _post(b"", target="/absent")], (400, 404)),
    "failing": Kind(TEXT, [_post(b"fail")], (502,)),
    "timed out": Kind(TEXT, [_post(b"late")], (504,), 0.3, {"SCORING_TIMEOUT_MS": "2"}),
}
GROWING = Kind(LEAKING, [_post(body) for body in _TEXTS])
