"""The way of a request, over real sockets: what is checked before what, and what a slow script does."""

import threading
from pathlib import Path

import pytest
import requests
from tests.runtime.raw import raw
from tests.runtime.server_process import HOLDING, PATIENCE_SECONDS, HeldRequest, Server, StartServer

AZUREML = {"GPU_INFERENCE_FRONT_END": "azureml"}
SCRIPT = """
import flask
def init(): pass
def run(data):
    if data == "request":
        return [flask.request.full_path, flask.request.get_data().decode(), flask.request.headers["a"]]
    return data.upper()
"""
RAW = """
from azureml.contrib.services.aml_request import rawhttp
def init(): pass
@rawhttp
def run(request): return request.method
"""
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


def ask(server: Server, method: str, path: str = "/score", **headers: str) -> requests.Response:
    return requests.request(method, server.url(path), headers=headers, timeout=PATIENCE_SECONDS)


def counted(server: Server, sample: str) -> float:
    lines = server.management("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample + " ")), 0.0)


@pytest.fixture(scope="module")
def server(start_module_server: StartServer, keys: Path) -> Server:
    server = start_module_server(
        SCRIPT, GPU_INFERENCE_KEYS_DIR=str(keys), GPU_INFERENCE_MAX_BODY_BYTES="100", **AZUREML
    )
    server.wait_ready()
    return server


KEY = {"Authorization": "Bearer first"}


def half(length: int, *more: str) -> bytes:
    """The head of a request, of whose body nothing comes."""
    lines = ["POST /score HTTP/1.1", "Host: x", "Connection: close", *more, f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_scored_request_carries_its_ids_and_is_counted(start_server: StartServer) -> None:
    server = start_server(SCRIPT, **AZUREML)
    server.wait_ready()
    answer = server.score("abc", **{"x-request-id": "R"})
    assert (answer.status_code, answer.content, answer.headers["Connection"]) == (200, b'"ABC"', "keep-alive")
    assert answer.headers["x-request-id"] == "R"
    assert counted(server, 'gpu_inference_requests_total{code="200"}') == 1
    assert counted(server, "gpu_inference_run_seconds_count") == 1


def test_a_get_request_has_no_body_to_read(server: Server) -> None:
    assert ask(server, "GET", "/score?x=1", **KEY).content == rb'"{\"X\": 1}"'


def test_a_wrong_key_is_refused_before_the_body_is_read(server: Server) -> None:
    before = counted(server, 'gpu_inference_refusals_total{reason="key"}')
    answer = raw(server, half(3))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nWWW-Authenticate: Bearer\r\n" in answer
    assert b"Unauthorized, no Auth Header" in answer
    assert server.score("abc", **KEY).status_code == 200
    assert counted(server, 'gpu_inference_refusals_total{reason="key"}') == before + 1


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    answer = raw(server, half(101, "Authorization: Bearer first"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The request's body is larger than the limit of 100 bytes." in answer
    assert server.score("x" * 100, **KEY).status_code == 200


@pytest.mark.parametrize("rest", [b"", b"half"])
def test_a_body_that_never_comes_is_the_clients_error(server: Server, rest: bytes) -> None:
    answer = raw(server, half(50, "Authorization: Bearer first") + rest, half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The request's body did not arrive completely." in answer
    assert server.score("abc", **KEY).status_code == 200


def test_a_chunk_that_is_no_chunk_is_the_clients_error(server: Server) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first\r\n"
    answer = raw(server, head + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"did not arrive completely" in answer


def test_a_body_that_is_not_utf_8_never_reaches_the_script(start_server: StartServer) -> None:
    server = start_server(SCRIPT, **AZUREML)
    server.wait_ready()
    answer = server.score(b"\xff")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Input cannot be decoded as UTF-8: ")
    assert counted(server, "gpu_inference_run_seconds_count") == 0
    assert counted(server, 'gpu_inference_refusals_total{reason="body"}') == 1


def test_other_methods_are_not_allowed(server: Server) -> None:
    answer = ask(server, "HEAD")
    assert (answer.status_code, answer.headers["Content-Length"]) == (
        405,
        str(len(b'{"message": "Method not allowed"}')),
    )


def test_with_no_queue_a_busy_replica_reads_no_body(start_server: StartServer) -> None:
    server = start_server(HOLDING, GPU_INFERENCE_MAX_QUEUE_WAIT_MS="0", **AZUREML)
    server.wait_ready()
    held = HeldRequest(server)
    assert raw(server, half(3)).startswith(b"HTTP/1.1 503 ")
    assert held.released().json() == "hold"


def test_a_request_that_waits_too_long_is_refused_as_by_v1(
    start_server: StartServer,
) -> None:
    server = start_server(HOLDING, GPU_INFERENCE_MAX_QUEUE_WAIT_MS="20", **AZUREML)
    server.wait_ready()
    held = HeldRequest(server)
    assert counted(server, "gpu_inference_busy_slots") == 1
    assert 0 < counted(server, "gpu_inference_busy_slots_average") <= 1
    answer = server.score("x")
    assert (answer.status_code, answer.headers["Connection"]) == (503, "close")
    assert answer.json() == {"message": "Too many requests for service mnist (overloaded)"}
    assert answer.headers["Retry-After"] == "1"
    assert held.released().json() == "hold"
    assert server.score("x").status_code == 200
    assert counted(server, 'gpu_inference_refusals_total{reason="overloaded"}') == 1


def test_the_bare_server_lets_requests_wait_instead_of_refusing_them(start_server: StartServer) -> None:
    server = start_server(HOLDING, GPU_INFERENCE_MAX_QUEUE_WAIT_MS="0")
    server.wait_ready()
    held = HeldRequest(server)
    statuses: list[int] = []
    waiting = [
        threading.Thread(target=lambda: statuses.append(server.score("x").status_code)) for _ in range(3)
    ]
    for thread in waiting:
        thread.start()
    server.wait_until(lambda: counted(server, "gpu_inference_queued_requests") == 3, "three wait")
    assert held.released().json() == "hold"
    for thread in waiting:
        thread.join(PATIENCE_SECONDS)
    assert statuses == [200, 200, 200]


CASES = [
    ("none", {}, True),
    ("azureml", {}, False),
    ("azureml", {"Authorization": "Bearer wrong"}, False),
    ("azureml", KEY, True),
]


def test_run_gets_options_from_clients_that_may_score(start_server: StartServer, keys: Path) -> None:
    bare = start_server(RAW)
    front = start_server(RAW, GPU_INFERENCE_KEYS_DIR=str(keys), **AZUREML)
    bare.wait_ready()
    front.wait_ready()
    for front_end, headers, called in CASES:
        answer = ask(front if front_end == "azureml" else bare, "OPTIONS", **headers)
        assert (answer.status_code, answer.content) == (200, b'"OPTIONS"' if called else b"")


def test_run_gets_options_where_no_key_is_asked(start_server: StartServer) -> None:
    server = start_server(RAW, **AZUREML)
    server.wait_ready()
    assert ask(server, "OPTIONS").content == b'"OPTIONS"'
    # Without the server's own CORS, that is the script's work.
    assert ask(server, "OPTIONS", **PREFLIGHT).content == b'"OPTIONS"'


def test_a_script_finds_the_whole_request_as_flasks_current_one(server: Server) -> None:
    answer = server.score("request", "/score?q=1", a="b", **KEY)
    assert answer.json() == ["/score?q=1", "request", "b"]


def test_context_variables_hold_in_the_scripts_next_calls(start_server: StartServer) -> None:
    script = """
import contextvars, decimal
mine = contextvars.ContextVar("mine", default=0)
def init():
    mine.set(1)
    decimal.getcontext().prec = 3
def run(data):
    mine.set(mine.get() + 1)
    return [mine.get(), str(decimal.Decimal(1) / 3)]
"""
    server = start_server(script)
    server.wait_ready()
    assert [server.score("x").json() for _ in range(2)] == [[2, "0.333"], [3, "0.333"]]
