"""SIGTERM at every moment of a server's life: none is lost, none cuts a request off.

A container's first process ignores the signal while it has no handler for it, and Kubernetes sends it once.
"""

import http.client
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.runtime.server_process import (
    HOLDING,
    HOLDING_NATIVELY,
    PATIENCE_SECONDS,
    HeldRequest,
    Server,
    StartServer,
)

# Python imports a module of this name at its start.
AT_START = "sitecustomize.py"
SLOW_IMPORTS = """
import sys, time
class Slow:
    def find_spec(self, name, *_):
        if name == "gunicorn":
            print("imports have begun", flush=True)
            time.sleep(1000)
sys.meta_path.insert(0, Slow())
"""
SLOW_FORK = """
import time
import gunicorn.util
def setproctitle(title):
    if title.startswith("worker"):
        print("the worker was forked", flush=True)
        while not __import__("pathlib").Path("go").exists():
            time.sleep(0.01)
gunicorn.util._setproctitle = setproctitle
"""


# What scripts do with SIGTERM in init(); run() is HOLDING's.
TAKING_SIGTERM = {
    "a handler that exits": "signal.signal(signal.SIGTERM, lambda *_: (print('cleaned up'), sys.exit(5)))",
    "ignored": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "the default": "signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    "no wakeup": "signal.set_wakeup_fd(-1)",
}


@pytest.fixture
def slowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `sitecustomize.py` each server imports first."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_sigterm_before_the_server_is_loaded_ends_it(start_server: StartServer, slowed: Path) -> None:
    (slowed / AT_START).write_text(SLOW_IMPORTS)
    server = start_server()
    server.wait_for_log("imports have begun")
    server.process.terminate()
    assert server.wait_for_exit() == 0


def test_sigterm_right_after_the_fork_ends_the_worker_too(start_server: StartServer, slowed: Path) -> None:
    (slowed / AT_START).write_text(SLOW_FORK)
    # By itself gunicorn would kill the worker after so long.
    server = start_server(SCORING_TIMEOUT_MS=str(10 * PATIENCE_SECONDS * 1000))
    server.wait_for_log("the worker was forked")
    server.process.terminate()
    server.wait_for_log("Handling signal: term")
    time.sleep(0.5)
    (server.folder / "go").touch()
    assert server.wait_for_exit() == 0


def kept_alive(server: Server) -> http.client.HTTPConnection:
    """Return a connection on which one request has been answered, and another may follow."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    assert ask(connection).getheader("Connection") == "keep-alive"
    return connection


def ask(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    connection.request("POST", "/score", "x")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'"x"')
    return answer


def test_during_the_drain_kept_connections_get_one_answer_more(
    start_server: StartServer,
) -> None:
    server = start_server(GPU_INFERENCE_DRAIN_SECONDS="1000")
    server.wait_ready()
    connections = [kept_alive(server) for _ in range(20)]
    server.process.terminate()
    server.wait_until(lambda: server.management("/ready").status_code == 503, "draining")
    for connection in connections:
        assert ask(connection).getheader("Connection") == "close"
        # It has closed itself: the next request is on a new connection.
        assert connection.sock is None
        ask(connection)


def test_connections_that_nobody_uses_do_not_hold_up_the_end(start_server: StartServer) -> None:
    server = start_server(GPU_INFERENCE_DRAIN_SECONDS="0.5", SCORING_TIMEOUT_MS="600000")
    server.wait_ready()
    idle = [kept_alive(server) for _ in range(3)]
    unused = http.client.HTTPConnection("127.0.0.1", server.port)
    unused.connect()
    server.process.terminate()
    assert server.wait_for_exit() == 0
    # The client finds an end, not a reset.
    assert [connection.sock.recv(1) for connection in (*idle, unused)] == [b""] * 4


def test_a_second_sigterm_cuts_nothing_short(start_server: StartServer) -> None:
    server = start_server(HOLDING, GPU_INFERENCE_DRAIN_SECONDS="1000")
    server.wait_ready()
    held = HeldRequest(server)
    for _ in range(2):
        server.process.terminate()
        server.wait_until(lambda: server.management("/ready").text == "Draining\n", "draining")
    assert held.released().json() == "hold"
    ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS))
    assert server.process.poll() is None


def test_after_the_drain_new_connections_are_refused(
    start_server: StartServer,
) -> None:
    server = start_server(HOLDING)
    server.wait_ready()
    held = HeldRequest(server)
    server.process.terminate()
    server.wait_for_log("Drained: no new connections are accepted any more")
    # Not taken by the kernel, to be reset in the end.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS)
    assert held.released().json() == "hold"
    assert server.wait_for_exit() == 0


def test_requests_queued_at_the_end_of_the_drain_are_answered(
    start_server: StartServer,
) -> None:
    server = start_server(
        HOLDING, GPU_INFERENCE_FRONT_END="azureml", GPU_INFERENCE_MAX_QUEUE_WAIT_MS="600000"
    )
    server.wait_ready()
    answers: list[int] = []

    def score(data: str) -> None:
        answers.append(server.score(data).status_code)

    threads = [threading.Thread(target=score, args=("hold",), daemon=True)]
    threads[0].start()
    server.wait_for_log("run has begun")
    threads += [threading.Thread(target=score, args=("x",), daemon=True) for _ in range(5)]
    for thread in threads[1:]:
        thread.start()
    queued = "gpu_inference_queued_requests 5.0"
    server.wait_until(lambda: queued in server.management("/metrics").text, "five wait")
    server.process.send_signal(signal.SIGTERM)
    server.wait_for_log("Drained: no new connections are accepted any more")
    (server.folder / "go").touch()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert answers == [200] * 6
    assert server.wait_for_exit() == 0


def test_sigterm_drains_at_once_during_native_code(
    start_server: StartServer,
) -> None:
    server = start_server(HOLDING_NATIVELY)
    server.wait_ready()
    held = HeldRequest(server)
    server.process.terminate()
    server.wait_until(lambda: server.management("/ready").text == "Draining\n", "draining")
    server.wait_for_log("Drained: no new connections are accepted any more")
    assert held.released().json() == "hold"
    assert server.wait_for_exit() == 0


@pytest.mark.parametrize("way", TAKING_SIGTERM)
def test_a_script_that_handles_sigterm_does_not_break_the_drain(start_server: StartServer, way: str) -> None:
    init = f"import signal, sys\ndef init(): {TAKING_SIGTERM[way]}\n"
    server = start_server(HOLDING.replace("def init(): pass\n", init))
    server.wait_ready()
    held = HeldRequest(server)
    server.process.terminate()
    server.wait_until(lambda: server.management("/ready").text == "Draining\n", "draining")
    assert held.released().json() == "hold"
    assert server.wait_for_exit() == 0
    # The script's own handler has its turn when all requests are answered.
    assert ("cleaned up" in server.log) == (way == "a handler that exits")
    assert "exited with code" not in server.log
