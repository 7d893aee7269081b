"""What clients saw through azureml-fe, over real sockets: each row of the contract's table of statuses.

Timeouts and crashes, which take servers of their own, are in test_timeouts.py and test_worker_replacement.py.
"""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from tests.runtime.raw import raw
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

TEXT = """
import json, pathlib, sys, time
from azureml.contrib.services.aml_response import AMLResponse
from flask import abort

def init(): pass

def run(data):
    if data == "hold":
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
    elif data == "exit":
        sys.exit(1)
    elif data == "interrupt":
        raise KeyboardInterrupt
    elif data == "abort":
        abort(404)
    elif data == "no JSON form":
        return lambda: None
    elif data.startswith("header "):
        return AMLResponse("x", 200, {"x-mine": data[7:]})
    elif data.startswith("status "):
        return AMLResponse("the script's words", int(data.split()[1]))
    else:
        return json.loads(data)
"""
SCHEMA = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema

def init(): pass

@input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
def run(data):
    return float(data.sum())
"""
STARTING = """
import pathlib, time
def init():
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
def run(data):
    return data
"""
KEY = {"Authorization": "Bearer first"}
JSON = {"Content-Type": "application/json"}
FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."
OVERLOADED = "Too many requests for service mnist (overloaded)"
NOT_READY = "No ready replicas for service mnist."
SCORE = "/api/v1/service/mnist/score"
IDS = {"x-request-id": "R", "x-ms-request-id": "R"}


@pytest.fixture(scope="module")
def server(start_module_server: StartServer, keys: Path) -> Server:
    server = start_module_server(
        TEXT,
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_KEYS_DIR=str(keys),
        GPU_INFERENCE_MAX_BODY_BYTES="100000",
        GPU_INFERENCE_MAX_QUEUE_WAIT_MS="100",
    )
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def schema(start_module_server: StartServer) -> Server:
    server = start_module_server(SCHEMA, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    return server


def ask(server: Server, method: str, path: str, headers: dict[str, str] | None = None) -> requests.Response:
    return requests.request(method, server.url(path), headers=headers, timeout=PATIENCE_SECONDS)


def has_ids(answer: requests.Response) -> bool:
    return IDS.items() <= dict(answer.headers).items()


def test_a_request_with_either_key_is_scored(server: Server) -> None:
    for key, scheme in itertools.product(["first", "second"], ["Bearer", "bearer"]):
        answer = server.score('{"a": NaN}', SCORE, Authorization=f"{scheme} {key}")
        assert (answer.status_code, answer.content) == (200, b'{"a": NaN}'), (key, scheme)
        assert answer.headers["x-ms-run-function-failed"] == "False", (key, scheme)
        assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0, (key, scheme)


REFUSED = [
    (None, "Unauthorized, no Auth Header"),
    ("", "Unauthorized, no Auth Header"),
    ("first", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
    ("Basic first", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
    ("Bearer", "Unauthorized, the Authorization header must be 'Bearer KEY'"),
    ("Bearer wrong", "Unauthorized, the key is not one of this service's"),
    ("Bearer firs\xe9", "Unauthorized, the key is not one of this service's"),
]


def test_a_request_without_a_right_key_is_401(server: Server) -> None:
    asked = [("POST", SCORE), ("GET", "/score"), ("GET", "/swagger.json")]
    for (authorization, text), (method, path) in itertools.product(REFUSED, asked):
        case = authorization, method, path
        headers = {"x-request-id": "R"} | ({} if authorization is None else {"Authorization": authorization})
        answer = ask(server, method, path, headers)
        assert (answer.status_code, answer.json()) == (401, {"message": text}), case
        assert answer.headers["WWW-Authenticate"] == "Bearer", case
        assert has_ids(answer), case


@pytest.mark.parametrize("path", ["/", "/api/v1/service/mnist/"])
def test_health_is_open_to_all(server: Server, path: str) -> None:
    answer = ask(server, "GET", path)
    assert (answer.status_code, answer.text) == (200, "Healthy")


def test_options_needs_no_key(server: Server) -> None:
    paths = [SCORE, "/score", "/swagger.json", "/"]
    for headers, path in itertools.product([{}, {"Authorization": "Bearer wrong"}, KEY], paths):
        answer = ask(server, "OPTIONS", path, headers)
        assert (answer.status_code, answer.content) == (200, b""), (headers, path)


def test_the_specification_has_the_paths_that_clients_know(server: Server) -> None:
    document = ask(server, "GET", "/api/v1/service/mnist/swagger.json?version=3", KEY).json()
    for path, operations in document["paths"].items():
        for method in operations:
            assert ask(server, method.upper(), path).status_code in (200, 401)
    assert SCORE in document["paths"]


def test_another_service_or_path_is_404_with_and_without_a_key(server: Server) -> None:
    paths = ["/api/v1/service/other/score", "/score/", "/absent"]
    for method, path, headers in itertools.product(["POST", "GET", "OPTIONS"], paths, ({}, KEY)):
        answer = ask(server, method, path, headers)
        assert answer.status_code == 404, (method, path, headers)
        text = answer.json()["message"]
        assert text.startswith("The requested URL was not found on the server. "), (method, path, headers)


@pytest.mark.parametrize(
    ("method", "text"),
    [("PUT", "The method is not allowed for the requested URL."), ("HEAD", None)],
)
def test_another_method_is_405(server: Server, method: str, text: str | None) -> None:
    answer = ask(server, method, SCORE, KEY)
    assert answer.status_code == 405
    assert text is None or answer.json() == {"message": text}


@pytest.mark.parametrize(
    ("body", "failed", "text"),
    [
        ("no JSON", "True", FAILED),
        ("exit", "True", FAILED),
        ("interrupt", "True", FAILED),
        ("abort", "True", FAILED),
        ("no JSON form", "False", INTERNAL),
        ("header \u20ac", "False", INTERNAL),
        ("header \x01", "False", INTERNAL),
        ("status 1000", "False", INTERNAL),
        ("status 100", "False", INTERNAL),
    ],
)
def test_a_script_that_fails_is_502(server: Server, body: str, failed: str, text: str) -> None:
    answer = server.score(body.encode(), SCORE, **KEY, **{"x-request-id": "R"})
    assert (answer.status_code, answer.json()) == (502, {"message": text})
    assert answer.headers["x-ms-run-function-failed"] == failed
    assert has_ids(answer)


@pytest.mark.parametrize(
    ("own", "seen", "failed"),
    [(200, 200, "False"), (404, 404, "False"), (500, 502, "True"), (503, 503, "True")],
)
def test_of_the_scripts_own_statuses_only_500_becomes_502(
    server: Server, own: int, seen: int, failed: str
) -> None:
    answer = server.score(f"status {own}", SCORE, **KEY)
    assert (answer.status_code, answer.text) == (seen, "the script's words")
    assert answer.headers["x-ms-run-function-failed"] == failed


def test_a_body_that_is_not_utf_8_is_400(server: Server) -> None:
    answer = server.score(b"\xff", SCORE, **KEY)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Input cannot be decoded as UTF-8: ")
    assert answer.headers["x-ms-run-function-failed"] == "False"


def test_a_picture_that_is_said_to_be_json_reaches_a_raw_script(start_server: StartServer) -> None:
    # As the GPU notebooks of v1 send it.
    script = "from azureml.contrib.services.aml_request import rawhttp\ndef init(): pass\n"
    script += "@rawhttp\ndef run(request): return list(request.get_data())"
    server = start_server(script, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    answer = server.score(b"\xff\xd8\xff\x00", SCORE, **JSON)
    assert (answer.status_code, answer.json()) == (200, [0xFF, 0xD8, 0xFF, 0])


def test_a_body_of_numpy_scalars_is_400_and_says_what_to_do(server: Server) -> None:
    answer = server.score('{"data": [np.float64(0.0)]}', SCORE, **KEY)
    assert answer.status_code == 400
    assert "np.float64" in answer.json()["message"]
    assert ".tolist()" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        ("{}", {}, 415, "Expects Content-Type to be application/json"),
        ("[1]", JSON, 400, "POST body should be a JSON dictionary."),
        ("", JSON, 400, "POST body is empty. Expecting a JSON dictionary."),
        ("{", JSON, 400, "POST body could not be decoded as JSON: "),
        ("{}", JSON, 400, "A value is not provided for the 'data' parameter."),
        ('{"data": [["a", "b"]]}', JSON, 400, ""),
        ('{"data": [[1.0]]}', JSON, 400, ""),
        (b"\xff", JSON, 400, ""),
    ],
    ids=["no type", "no object", "empty", "no JSON", "missing", "wrong type", "wrong shape", "not UTF-8"],
)
def test_what_does_not_fit_the_scripts_schema_is_the_clients_fault(
    schema: Server, body: str | bytes, headers: dict[str, str], status: int, text: str
) -> None:
    answer = schema.score(body, SCORE, **headers)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(text)
    assert answer.json()["message"] not in (FAILED, INTERNAL)
    assert schema.score('{"data": [[1.0, 2.0]], "more": 1}', SCORE, **JSON).json() == 3.0


@pytest.mark.parametrize("header", ["x-request-id", "x-ms-request-id", "x-ms-client-request-id"])
def test_a_too_long_id_is_431(server: Server, header: str) -> None:
    answer = server.score("1", SCORE, **KEY, **{header: "x" * 101})
    assert answer.status_code == 431
    assert answer.json()["message"].endswith(" must not exceed 100 characters")


def test_a_body_over_the_limit_is_413_with_or_without_a_length(server: Server) -> None:
    text = "The request's body is larger than the limit of 100000 bytes."
    head = "POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first\r\nContent-Length: 100001\r\n\r\n"
    told = raw(server, head.encode())
    assert told.startswith(b"HTTP/1.1 413 ")
    assert told.endswith(json.dumps({"message": text}).encode())
    chunks = (b"1" * 10_000 for _ in range(11))
    answer = requests.post(server.url(SCORE), data=chunks, headers=KEY, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()) == (413, {"message": text})
    assert answer.headers["Connection"] == "close"
    assert server.score("1" * 4000, SCORE, **KEY).status_code == 200


def test_the_limit_without_a_setting_is_100_mb(schema: Server) -> None:
    head = "POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
    assert raw(schema, head.format(100 * 2**20 + 1).encode()).startswith(b"HTTP/1.1 413 ")
    answer = raw(schema, head.format(100 * 2**20).encode(), half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_busy_replica_refuses_and_says_when_to_come_back(server: Server) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(server.score, "hold", SCORE, **KEY)
        try:
            server.wait_until(lambda: "busy_slots 1.0" in server.management("/metrics").text, "busy")
            refused = server.score("1", SCORE, **KEY, **{"x-request-id": "R"})
            without_key = server.score("1", SCORE)
            health = ask(server, "GET", "/")
            specification = ask(server, "GET", "/swagger.json", KEY)
        finally:
            (server.folder / "go").touch()
        assert busy.result().status_code == 200
    assert (refused.status_code, refused.json()) == (503, {"message": OVERLOADED})
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["Connection"] == "close"
    assert has_ids(refused)
    assert [without_key.status_code, health.status_code, specification.status_code] == [401, 200, 200]


def test_before_init_has_ended_there_is_no_ready_replica(start_server: StartServer) -> None:
    server = start_server(STARTING, GPU_INFERENCE_FRONT_END="azureml", GPU_INFERENCE_MAX_QUEUE_WAIT_MS="50")
    server.wait_until(lambda: ask(server, "GET", "/").status_code == 503, "listening")
    health = ask(server, "GET", "/")
    assert (health.text, health.headers["Content-Type"]) == ("Starting", "text/html; charset=utf-8")
    for method, path in (("POST", SCORE), ("GET", "/score"), ("GET", "/swagger.json")):
        answer = ask(server, method, path)
        assert (answer.status_code, answer.json()) == (503, {"message": NOT_READY})
        assert answer.headers["Retry-After"] == "1"
    assert ask(server, "OPTIONS", SCORE).status_code == 200
    (server.folder / "go").touch()
    server.wait_ready()
    assert server.score("x", SCORE).status_code == 200
