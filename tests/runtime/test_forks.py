"""Processes that a script forks: they end by signals, and the server lives on."""

import os
import signal
import time

import pytest
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

FORKING = """
import multiprocessing, os, signal, threading, time
fork = multiprocessing.get_context("fork")
def square(x): return x * x
def init():
    global resident
    resident = fork.Process(target=time.sleep, args=(600,), daemon=True)
    resident.start()
    if os.environ.get("OWN"):
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
def ended(number):
    child = fork.Process(target=time.sleep, args=(600,))
    child.start()
    os.kill(child.pid, number)
    child.join()
    return child.exitcode
def run(data):
    if data == "pool":
        with fork.Pool(2) as pool:
            return pool.map(square, [1, 2, 3])
    if data == "thread":
        codes = []
        thread = threading.Thread(target=lambda: codes.append(ended(signal.SIGTERM)))
        thread.start()
        thread.join()
        return codes[0]
    if data == "resident":
        return resident.pid
    return ended(int(data))
"""


@pytest.fixture(scope="module")
def server(start_module_server: StartServer) -> Server:
    server = start_module_server(FORKING)
    server.wait_ready()
    return server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1])
def test_a_signal_ends_a_child_at_once_and_only_the_child(server: Server, number: signal.Signals) -> None:
    codes = [server.score(str(int(number))).json() for _ in range(3)]
    assert codes == [-number] * 3
    assert server.score("thread").json() == -signal.SIGTERM
    assert server.management("/ready").status_code == 200


def test_a_pool_comes_and_goes(server: Server) -> None:
    assert [server.score("pool").json() for _ in range(5)] == [[1, 4, 9]] * 5
    assert "Drained" not in server.log


def test_a_child_has_the_scripts_own_handler(start_server: StartServer) -> None:
    server = start_server(FORKING, OWN="1")
    server.wait_ready()
    assert server.score(str(int(signal.SIGTERM))).json() == 7
    assert server.management("/ready").status_code == 200


def test_a_child_ends_with_the_server(start_server: StartServer) -> None:
    server = start_server(FORKING, GPU_INFERENCE_DRAIN_SECONDS="0")
    server.wait_ready()
    resident = server.score("resident").json()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_for_exit() == 0
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            os.kill(resident, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("The script's child is still there")
