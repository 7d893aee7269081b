"""What a front of its own is for: it answers on time whatever the script's process does, and loses nobody."""

import contextlib
import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

# `frozen` keeps Python's lock; the others end the process, each in its own way.
SCRIPT = """
import ctypes, os, pathlib, signal, time

def init():
    with open("starts", "a") as starts:
        starts.write("x")
    pathlib.Path("script.pid").write_text(str(os.getpid()))

def run(what):
    with open("runs", "a") as runs:
        runs.write(what + "\\n")
    if what == "frozen":
        print("run has begun")
        c, lock = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
        c.pthread_mutex_lock(lock)
        c.pthread_mutex_lock(lock)
    if what == "slow":
        print("run has begun")
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
    if what == "segfault":
        ctypes.string_at(0)
    if what == "exit":
        os._exit(0)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what.startswith("large "):
        return "x" * int(what.split()[1])
    return what if len(what) < 1000 else len(what)
"""
AZUREML = {"GPU_INFERENCE_FRONT_END": "azureml", "GPU_INFERENCE_MAX_QUEUE_WAIT_MS": "60000"}
CLOSED = {"message": "Replica closed connection before replying"}


class Client(threading.Thread):
    """One request, sent in the background; how long its answer took."""

    def __init__(self, server: Server, what: str, **headers: str) -> None:
        super().__init__(daemon=True)
        self._server, self._what, self._headers = server, what, headers
        self._answers: list[requests.Response] = []
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        self._answers.append(self._server.score(self._what, **self._headers))
        self.seconds = time.monotonic() - began

    @property
    def answer(self) -> requests.Response:
        self.join(PATIENCE_SECONDS)
        [answer] = self._answers
        return answer


def lines(server: Server, name: str) -> list[str]:
    return (server.folder / name).read_text().splitlines()


def healthy(server: Server) -> tuple[int, str]:
    answer = requests.get(server.url("/"), timeout=PATIENCE_SECONDS)
    return answer.status_code, answer.text


def wait_for_queue(server: Server, number: int) -> None:
    queued = f"gpu_inference_queued_requests {number}.0"
    server.wait_until(lambda: queued in server.management("/metrics").text, f"{number} wait")


def test_a_script_that_keeps_pythons_lock_costs_nobody_the_answer(start_server: StartServer) -> None:
    server = start_server(SCRIPT, SCORING_TIMEOUT_MS="1000", WORKER_TIMEOUT="5", **AZUREML)
    server.wait_ready()
    frozen = Client(server, "frozen")
    server.wait_for_log("run has begun")
    assert healthy(server) == (200, "Healthy")
    assert server.management("/live").status_code == 200
    waiting = Client(server, "waits")
    assert (frozen.answer.status_code, frozen.answer.json()) == (
        504,
        {"message": "Scoring timeout after 1000 ms"},
    )
    # Long before its process is replaced.
    assert frozen.seconds < 3
    assert waiting.answer.json() == "waits"
    assert lines(server, "starts") == ["xx"]


@pytest.mark.parametrize("death", ["segfault", "exit", "kill"])
def test_a_death_costs_its_own_client_a_502_and_nobody_else(start_server: StartServer, death: str) -> None:
    server = start_server(SCRIPT, **AZUREML)
    server.wait_ready()
    held = Client(server, "slow")
    server.wait_for_log("run has begun")
    dying = Client(server, death)
    wait_for_queue(server, 1)
    waiting = [Client(server, f"waits {number}") for number in range(30)]
    wait_for_queue(server, 31)
    (server.folder / "go").touch()
    assert held.answer.json() == "slow"
    assert (dying.answer.status_code, dying.answer.json()) == (502, CLOSED)
    assert sorted(client.answer.json() for client in waiting) == sorted(f"waits {n}" for n in range(30))
    # Each was run once.
    assert sorted(lines(server, "runs")) == sorted(["slow", death, *(f"waits {n}" for n in range(30))])
    server.wait_ready()
    assert lines(server, "starts") == ["xx"]


def test_the_bare_server_closes_the_connection_as_v1s_did(start_server: StartServer) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    with pytest.raises(requests.ConnectionError):
        server.score("exit")
    assert server.score("next").json() == "next"


FREEZING_INIT = """
import ctypes
def init():
    print("init has begun")
    ctypes.PyDLL(None).sleep(10)
def run(data):
    return data
"""


def test_an_init_that_keeps_pythons_lock_leaves_the_ports_open(start_server: StartServer) -> None:
    server = start_server(FREEZING_INIT, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_for_log("init has begun")
    began = time.monotonic()
    assert healthy(server) == (503, "Starting")
    assert server.management("/live").status_code == 200
    assert server.score("x").json() == {"message": "No ready replicas for service mnist."}
    assert time.monotonic() - began < 5
    server.wait_ready()
    assert server.score("x").json() == "x"


def send(server: Server, body: bytes, more: str = "", length: int | None = None) -> socket.socket:
    """Send a request over a socket of its own, perhaps with less of a body than it says."""
    client = socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
    head = f"POST /score HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {length or len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    return client


def test_a_client_that_hangs_up_while_it_waits_is_never_scored(start_server: StartServer) -> None:
    server = start_server(SCRIPT, **AZUREML)
    server.wait_ready()
    held = Client(server, "slow")
    server.wait_for_log("run has begun")
    impatient = [send(server, b"never wanted") for _ in range(5)]
    wait_for_queue(server, 5)
    waiting = Client(server, "still wanted")
    wait_for_queue(server, 6)
    for client in impatient:
        client.close()
    wait_for_queue(server, 1)
    (server.folder / "go").touch()
    assert [held.answer.json(), waiting.answer.json()] == ["slow", "still wanted"]
    assert lines(server, "runs") == ["slow", "still wanted"]


def test_a_half_closed_client_is_answered_once_its_call_began(
    start_server: StartServer,
) -> None:
    server = start_server(SCRIPT, **AZUREML)
    server.wait_ready()
    with contextlib.closing(send(server, b"slow")) as client:
        client.shutdown(socket.SHUT_WR)
        server.wait_for_log("run has begun")
        # Longer than a request may wait whose client cannot be told from one that is gone.
        time.sleep(0.3)
        (server.folder / "go").touch()
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b'"slow"')


HEADERS = """
def init(): pass
def run(data, request_headers):
    return request_headers
"""


def test_run_finds_an_id_in_the_headers_even_if_the_client_sent_none(start_server: StartServer) -> None:
    server = start_server(HEADERS, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    answer = server.score("x")
    assert answer.json()["X-Ms-Request-Id"] == answer.headers["x-ms-request-id"]
    answer = server.score("x", **{"x-ms-client-request-id": "C"})
    assert answer.json()["X-Ms-Request-Id"] == answer.headers["x-ms-request-id"] == "C"
    assert server.score("x", **{"x-ms-request-id": "L"}).json()["X-Ms-Request-Id"] == "L"


def test_a_drain_answers_twenty_in_flight_and_closes_each_connection(start_server: StartServer) -> None:
    server = start_server(SCRIPT, GPU_INFERENCE_DRAIN_SECONDS="1", **AZUREML)
    server.wait_ready()
    held = Client(server, "slow")
    server.wait_for_log("run has begun")
    waiting = [Client(server, f"waits {number}") for number in range(19)]
    wait_for_queue(server, 19)
    server.process.terminate()
    server.wait_until(lambda: server.management("/ready").text == "Draining\n", "draining")
    late = Client(server, "late")
    server.wait_for_log("Drained: no new connections are accepted any more")
    (server.folder / "go").touch()
    answers = [client.answer for client in (held, *waiting, late)]
    assert {(answer.status_code, answer.headers["Connection"]) for answer in answers} == {(200, "close")}
    assert server.wait_for_exit() == 0


def test_two_processes_share_one_queue(start_server: StartServer) -> None:
    server = start_server(SCRIPT, WORKER_COUNT="2", GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="2", **AZUREML)
    server.wait_ready()
    held = Client(server, "slow")
    server.wait_for_log("run has begun")
    # None of them is bound to the process that is held up.
    assert [server.score(f"quick {number}").status_code for number in range(20)] == [200] * 20
    (server.folder / "go").touch()
    assert held.answer.json() == "slow"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        # What stands behind the name, which may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_front_that_is_killed_comes_back_with_its_script(start_server: StartServer) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    assert server.score("before").json() == "before"
    [front] = children(server.process.pid)
    script = int((server.folder / "script.pid").read_text())
    os.kill(front, signal.SIGKILL)
    server.wait_until(lambda: server.score("after").json() == "after", "answered again")
    assert children(server.process.pid) != [front]
    server.wait_until(lambda: not is_running(script), "the old script process has ended")
    assert lines(server, "starts") == ["xx"]


def test_a_refusal_comes_before_the_body_and_keeps_the_connection(
    start_server: StartServer, keys: Path
) -> None:
    server = start_server(SCRIPT, GPU_INFERENCE_KEYS_DIR=str(keys), **AZUREML)
    server.wait_ready()
    with contextlib.closing(send(server, b"half", length=1000)) as client:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.getheader("Connection")) == (401, "keep-alive")
        answer.read()
        # The rest is read and dropped, and the next request is one.
        rest = b"y" * 996
        client.sendall(rest + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.read()) == (200, b"Healthy")


def test_a_refusal_of_a_large_body_ends_the_connection(start_server: StartServer, keys: Path) -> None:
    server = start_server(SCRIPT, GPU_INFERENCE_KEYS_DIR=str(keys), **AZUREML)
    server.wait_ready()
    with contextlib.closing(send(server, b"half", length=10_000_000)) as client:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.getheader("Connection")) == (401, "close")


@pytest.mark.parametrize("size", [100, 20_000, 300_000, 5_000_000, 70_000_000])
def test_bodies_and_answers_of_any_size_cross(start_server: StartServer, size: int) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    for _ in range(3):
        assert server.score(f"large {size}").json() == "x" * size
        whole = server.score("y" * size).json()
        assert whole == (size if size >= 1000 else "y" * size)
        pieces = (b"z" * 10_000 for _ in range(size // 10_000))
        chunked = requests.post(server.url("/score"), data=pieces, timeout=PATIENCE_SECONDS).json()
        assert chunked == (size if size >= 10_000 else "")


@pytest.fixture
def stalled() -> Iterator[list[socket.socket]]:
    clients: list[socket.socket] = []
    yield clients
    for client in clients:
        client.close()


def test_a_thousand_stalled_uploads_hold_nobody_up(
    start_server: StartServer, stalled: list[socket.socket]
) -> None:
    server = start_server(SCRIPT, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    for _ in range(400):
        stalled.append(send(server, b"half", length=6000))
        stalled.append(socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS))
    assert [server.score(str(number)).json() for number in range(20)] == [str(n) for n in range(20)]
    # Each may still go on.
    stalled[0].sendall(b"y" * 5996)
    answer = http.client.HTTPResponse(stalled[0])
    answer.begin()
    assert answer.read() == b"6000"


def test_pipelined_requests_are_answered_in_order(start_server: StartServer) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    requests_ = [
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        for body in (b"first", b"large 200000", b"third")
    ]
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as client:
        client.sendall(b"".join(requests_) + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" + requests_[0])
        answers = []
        file = client.makefile("rb")
        for _ in range(5):
            status = int(file.readline().split()[1])
            length = 0
            while line := file.readline().strip():
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            answers.append((status, file.read(length)))
    assert [status for status, _ in answers] == [200, 200, 200, 404, 200]
    assert [len(body) for _, body in answers[:3]] == [7, 200_002, 7]
    assert answers[4][1] == b'"first"'
