"""A running server as its clients see it, over real sockets, mostly with azureml's front end."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from tests.runtime.raw import raw
from tests.runtime.server_process import HOLDING_NATIVELY, PATIENCE_SECONDS, Server, StartServer

SCRIPT = """
import json, pathlib, time
import numpy as np

def init():
    print("from", "init", end="!")

def run(raw_data):
    data = json.loads(raw_data)["data"]
    print("scoring")
    while "hold" in data and not pathlib.Path(data["hold"]).exists():
        if data["asleep"]:
            time.sleep(0.01)
    if "matrix" in data:
        return (np.array(data["matrix"]) @ np.ones((2, 1))).tolist()
    return data
"""
KEY = {"Authorization": "Bearer first"}
FAILED = {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}


@pytest.fixture(scope="module")
def server(start_module_server: StartServer, keys: Path) -> Server:
    server = start_module_server(
        SCRIPT,
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_KEYS_DIR=str(keys),
        GPU_INFERENCE_MAX_BODY_BYTES="100000",
        GPU_INFERENCE_MAX_QUEUE_WAIT_MS="100",
    )
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def bare(start_module_server: StartServer) -> Server:
    server = start_module_server(SCRIPT)
    server.wait_ready()
    return server


@pytest.mark.parametrize("path", ["/score", "/api/v1/service/mnist/score"])
@pytest.mark.parametrize("key", ["first", "second"])
def test_scores_on_both_paths_with_either_key(server: Server, path: str, key: str) -> None:
    answer = server.score('{"data": {"matrix": [[1, 2], [3, 4]]}}', path, Authorization=f"Bearer {key}")
    assert (answer.status_code, answer.json()) == (200, [[3.0], [7.0]])
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert answer.headers["x-ms-request-id"] == answer.headers["x-request-id"]
    assert answer.headers["Connection"] == "keep-alive"


def test_a_rotated_key_holds_without_a_restart(server: Server, keys: Path) -> None:
    body = '{"data": {}}'
    (keys / "secondaryKey").write_text("rotated")
    assert server.score(body, Authorization="Bearer second").status_code == 401
    assert server.score(body, Authorization="Bearer rotated").status_code == 200
    (keys / "secondaryKey").write_text("second\n")
    assert server.score(body, Authorization="Bearer rotated").status_code == 401
    assert server.score(body, Authorization="Bearer second").status_code == 200


@pytest.mark.parametrize(
    "body",
    ["", "no json", '{"rows": []}', '{"data": {"matrix": [[1, 2, 3]]}}', '{"data": 7}'],
    ids=["empty", "not JSON", "key missing", "wrong shape", "wrong type"],
)
def test_a_body_that_the_script_cannot_use_is_502_without_its_words(server: Server, body: str) -> None:
    answer = server.score(body, **KEY)
    assert (answer.status_code, answer.json()) == (502, FAILED)
    assert answer.headers["x-ms-run-function-failed"] == "True"


@pytest.mark.parametrize(
    ("header", "part"),
    [(b"Content-Length: 12", b'{"data"'), (b"Transfer-Encoding: chunked", b'7\r\n{"data"\r\nxyz')],
)
def test_a_body_that_does_not_arrive_whole_is_400_and_never_scored(
    server: Server, header: bytes, part: bytes
) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first\r\n" + header + b"\r\n\r\n"
    answer = raw(server, head + part, half_close=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b'{"message": "The request\'s body did not arrive completely."}')


def test_a_chunked_body_under_the_limit_is_scored(server: Server) -> None:
    chunks = iter([b'{"data"', b': {"a": 1}}'])
    answer = requests.post(server.url("/score"), data=chunks, headers=KEY, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.json()) == (200, {"a": 1})


def test_query_parameters_are_the_input_of_a_get_request(server: Server) -> None:
    answer = requests.get(
        server.url("/score"), params={"data": '{"a": 1}'}, headers=KEY, timeout=PATIENCE_SECONDS
    )
    assert (answer.status_code, answer.json()) == (200, {"a": 1})


def test_ids_come_back_and_stand_in_every_log_line_of_the_request(server: Server) -> None:
    ids = {"x-request-id": "my-request", "x-ms-client-request-id": "my-client"}
    answer = server.score('{"data": {}}', **KEY, **ids)
    assert answer.headers["x-request-id"] == "my-request"
    assert answer.headers["x-ms-request-id"] == answer.headers["x-ms-client-request-id"] == "my-client"
    server.wait_for_log("[my-request] POST /score 200 ")
    lines = [line.partition(" - ")[2] for line in server.log.splitlines() if "my-request" in line]
    assert lines[0] == "[my-request] scoring"


def test_log_lines_have_the_known_format_and_print_goes_there(server: Server) -> None:
    stamp = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
    lines = server.log.splitlines()
    [printed] = [line for line in lines if line.endswith("azmlinfsrv.print - from init")]
    assert re.match(stamp + r"I \[\d+\] azmlinfsrv\.print - from init$", printed)


def test_neither_bodies_nor_queries_nor_keys_are_logged(server: Server) -> None:
    server.score('{"data": {"a": "a-secret-value"}}', **KEY)
    server.score("a-secret-value", **KEY)
    requests.get(server.url("/score"), params={"q": "a-secret-value"}, headers=KEY, timeout=PATIENCE_SECONDS)
    server.score("{}", Authorization="Bearer a-secret-value", **{"x-request-id": "last-of-the-secret"})
    server.wait_for_log("[last-of-the-secret] POST /score 401")
    assert "a-secret-value" not in server.log
    assert "Bearer" not in server.log


@pytest.mark.parametrize("asleep", [True, False], ids=["sleeping", "computing"])
def test_a_busy_script_keeps_nothing_but_scoring_waiting(
    server: Server, tmp_path: Path, asleep: bool
) -> None:
    go = tmp_path / "go"
    hold = json.dumps({"data": {"hold": str(go), "asleep": asleep}})
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(server.score, hold, **KEY)
        try:
            server.wait_until(lambda: "busy_slots 1.0" in server.management("/metrics").text, "busy")
            assert server.management("/live").status_code == 200
            assert server.management("/ready").status_code == 200
            assert requests.get(server.url("/"), timeout=PATIENCE_SECONDS).text == "Healthy"
            assert server.score("{}").status_code == 401
            refused = server.score("{}", **KEY)
            assert not busy.done()
        finally:
            go.touch()
        assert busy.result().status_code == 200
    assert refused.status_code == 503
    assert refused.json() == {"message": "Too many requests for service mnist (overloaded)"}
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["Connection"] == "close"


def test_after_a_timeout_the_replica_is_unready_until_it_ends(
    start_server: StartServer,
) -> None:
    server = start_server(HOLDING_NATIVELY, GPU_INFERENCE_FRONT_END="azureml", SCORING_TIMEOUT_MS="1000")
    server.wait_ready()
    answer = server.score("hold")
    assert (answer.status_code, answer.json()) == (504, {"message": "Scoring timeout after 1000 ms"})
    assert server.management("/ready").status_code == 503
    assert server.management("/live").status_code == 200
    assert server.score('{"data": {}}').status_code == 503
    (server.folder / "go").touch()
    server.wait_ready()
    assert server.score('{"data": {}}').status_code == 200


def test_idle_and_stalled_connections_keep_nobody_waiting(server: Server) -> None:
    stalled = b"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer first\r\nContent-Length: 9\r\n\r\n{"
    connections = [
        socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        for port in (server.port, server.port, server.health_port)
        for _ in range(10)
    ]
    try:
        for connection in connections[:10]:
            connection.sendall(stalled)
        assert server.management("/live").status_code == 200
        assert server.score('{"data": {}}', **KEY).status_code == 200
    finally:
        for connection in connections:
            connection.close()


def test_many_clients_at_once_all_get_their_own_answers(bare: Server) -> None:
    def client(number: int) -> bool:
        with requests.Session() as session:
            answers = [
                session.post(bare.url("/score"), json={"data": {"n": [number, i]}}, timeout=PATIENCE_SECONDS)
                for i in range(10)
            ]
        return all(answer.json() == {"n": [number, i]} for i, answer in enumerate(answers))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(client, range(16)))


def test_the_bare_server_scores_a_body_of_more_than_100_mb(start_server: StartServer) -> None:
    server = start_server("def init(): pass\ndef run(data): return len(data)")
    server.wait_ready()
    chunk = b"x" * 2**20
    chunks = (chunk for _ in range(101))
    answer = requests.post(server.url("/score"), data=chunks, timeout=PATIENCE_SECONDS)
    assert answer.json() == 101 * len(chunk)


def test_the_bare_server_asks_for_no_key_and_answers_500(bare: Server) -> None:
    assert bare.score('{"data": {"a": 1}}').json() == {"a": 1}
    answer = bare.score("no json")
    assert (answer.status_code, answer.json()) == (500, FAILED)


def test_metrics_are_prometheus_text(server: Server) -> None:
    answer = server.management("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    counted = ("requests_total{code=", "request_seconds_bucket{")
    for name in (*counted, "busy_slots ", "busy_slots_average ", "capacity_slots 1.0"):
        assert f"\ngpu_inference_{name}" in answer.text
    assert "gpu_inference_init_seconds 0.0\n" not in answer.text


def test_the_management_port_has_nothing_else(server: Server) -> None:
    assert server.management("/score").status_code == 404
    assert requests.get(server.url("/metrics"), timeout=PATIENCE_SECONDS).status_code == 404


def test_a_request_that_is_not_http_is_400_and_hurts_nobody(server: Server) -> None:
    assert raw(server, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert server.score('{"data": {}}', **KEY).status_code == 200
