"""Scripts that stop their process or end it: it is replaced, and nobody else's request is lost."""

import socket
import threading

import requests
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

# `stuck` never ends, whatever the signal; `frozen` keeps Python's lock, so that no other thread goes on.
SCRIPT = """
import ctypes, os, pathlib, signal

def init():
    with open("starts", "a") as starts:
        starts.write("x")

def run(what):
    if what == "stuck":
        print("stuck now")
        c, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        c.pthread_mutex_lock(lock)
        c.pthread_mutex_lock(lock)
    if what == "frozen":
        print("frozen now")
        # With Python's lock in hand, and no signal ends it.
        c, lock = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
        c.pthread_mutex_lock(lock)
        c.pthread_mutex_lock(lock)
    if what == "exit":
        os._exit(0)
    if what == "crash":
        ctypes.string_at(0)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return [what, os.getpid()]
"""
MINUTES = "600000"


class Client(threading.Thread):
    """One request, sent in the background."""

    def __init__(self, server: Server, what: str) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._what = what
        self._outcome: requests.Response | requests.ConnectionError | None = None
        self.start()

    def run(self) -> None:
        try:
            self._outcome = self._server.score(self._what)
        except requests.ConnectionError as error:
            self._outcome = error

    @property
    def answer(self) -> requests.Response:
        self.join(PATIENCE_SECONDS)
        assert isinstance(self._outcome, requests.Response), self._server.log
        return self._outcome

    @property
    def lost_its_connection(self) -> bool:
        self.join(PATIENCE_SECONDS)
        return isinstance(self._outcome, requests.ConnectionError)


def starts(server: Server) -> int:
    return len((server.folder / "starts").read_text())


def test_a_worker_whose_call_never_ends_is_replaced(
    start_server: StartServer,
) -> None:
    server = start_server(
        SCRIPT,
        SCORING_TIMEOUT_MS="500",
        WORKER_TIMEOUT="2",
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_MAX_QUEUE_WAIT_MS=MINUTES,
    )
    server.wait_ready()
    before = server.score("hello").json()[1]
    stuck = Client(server, "stuck")
    server.wait_for_log("stuck now")
    waiting = Client(server, "waits in the queue")
    assert stuck.answer.status_code == 504
    assert server.management("/ready").status_code == 503
    server.wait_for_log("still runs 2 s after its scoring timeout (WORKER_TIMEOUT): the process is replaced")
    # From here on requests wait for the next worker.
    late = Client(server, "late")
    assert server.management("/live").status_code == 200
    assert waiting.answer.json()[0] == "waits in the queue"
    assert late.answer.status_code == 200
    what, pid = late.answer.json()
    assert what == "late"
    assert pid != before
    server.wait_ready()
    assert starts(server) == 2


def test_a_worker_that_holds_the_gil_is_replaced(
    start_server: StartServer,
) -> None:
    server = start_server(SCRIPT, SCORING_TIMEOUT_MS="100", WORKER_TIMEOUT="5")
    server.wait_ready()
    frozen = Client(server, "frozen")
    server.wait_for_log("frozen now")
    assert server.management("/live").status_code == 200
    late = Client(server, "late")
    server.wait_until(lambda: server.management("/ready").status_code == 503, "not ready")
    assert server.management("/ready").text == "A call of run() has outlived the scoring timeout\n"
    assert frozen.answer.json() == {"message": "Scoring timeout after 100 ms"}
    assert late.answer.json()[0] == "late"
    assert "still runs 5 s after its scoring timeout (WORKER_TIMEOUT)" in server.log
    # What the script was doing.
    assert "score.py" in server.log
    server.wait_ready()
    assert starts(server) == 2


def test_after_the_death_of_a_worker_requests_wait_for_the_next_one(start_server: StartServer) -> None:
    server = start_server(SCRIPT)
    server.wait_ready()
    for deaths, death in enumerate(("exit", "crash", "kill"), start=1):
        assert Client(server, death).lost_its_connection
        late = [Client(server, f"late {number}") for number in range(5)]
        assert [client.answer.json()[0] for client in late] == [f"late {number}" for number in range(5)]
        assert starts(server) == 1 + deaths
    server.process.terminate()
    assert server.wait_for_exit() == 0


FREEZING_INIT = """
import ctypes
def init():
    print("init has begun")
    ctypes.PyDLL(None).sleep(5)
def run(data):
    return data
"""


def test_an_init_that_holds_the_gil_for_long_is_not_killed(
    start_server: StartServer,
) -> None:
    server = start_server(FREEZING_INIT, WORKER_TIMEOUT="2")
    server.wait_for_log("init has begun")
    assert (server.management("/ready").status_code, server.management("/ready").text) == (503, "Starting\n")
    assert server.management("/live").status_code == 200
    assert server.score("x").json() == "x"
    assert server.log.count("init has begun") == 1


def test_a_client_that_stalls_does_not_hold_up_the_replacement(start_server: StartServer) -> None:
    server = start_server(
        SCRIPT, SCORING_TIMEOUT_MS="300", WORKER_TIMEOUT="2", GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="2"
    )
    server.wait_ready()
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as stalling:
        stalling.sendall(
            b"POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf"
        )
        assert Client(server, "stuck").answer.status_code == 500
        server.wait_for_log("the process is replaced")
        server.wait_until(lambda: starts(server) == 2, "its successor starts")
        assert server.score("next").json()[0] == "next"
        # Its connection outlives the script's process.
        stalling.sendall(b" more")
        answer = b"".join(iter(lambda: stalling.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'["half more"' in answer
