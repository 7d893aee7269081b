"""Calls of run() that take longer than the scoring timeout, on a server whose script has the main thread."""

import threading

import pytest
from tests.runtime.server_process import HOLDING_NATIVELY, PATIENCE_SECONDS, Server, StartServer

TIMEOUT_MS = 600
SCRIPT = """
import pathlib, signal, socket, sqlite3, threading, time

heard = []

def init():
    global database
    database = sqlite3.connect(":memory:")
    signal.signal(signal.SIGALRM, lambda *_: heard.append("alarm"))
    signal.signal(signal.SIGUSR2, lambda *_: heard.append("user"))
    print("init on", threading.current_thread() is threading.main_thread())

def run(what):
    if what == "sleep":
        time.sleep(1000)
    if what == "compute":
        while True:
            pass
    if what == "read":
        one, other = socket.socketpair()
        one.recv(1)
    if what == "stubborn":
        while not pathlib.Path("go").exists():
            try:
                time.sleep(0.01)
            except TimeoutError:
                print("let it pass")
    if what == "raise":
        raise TimeoutError("a database's")
    if what == "signals":
        signal.raise_signal(signal.SIGUSR2)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        return heard
    if what == "where":
        on_main_thread = threading.current_thread() is threading.main_thread()
        return [on_main_thread, database.execute("select 7").fetchone()]
    return what
"""


@pytest.fixture(scope="module")
def bare(start_module_server: StartServer) -> Server:
    server = start_module_server(SCRIPT, SCORING_TIMEOUT_MS=str(TIMEOUT_MS))
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def azureml(start_module_server: StartServer) -> Server:
    server = start_module_server(
        SCRIPT, SCORING_TIMEOUT_MS=str(TIMEOUT_MS), GPU_INFERENCE_FRONT_END="azureml"
    )
    server.wait_ready()
    return server


@pytest.fixture(params=["bare", "azureml"])
def server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


def assert_timeout(server: Server, what: str) -> None:
    answer = server.score(what)
    azureml = "GPU_INFERENCE_FRONT_END" in server.settings
    assert (answer.status_code, answer.json()) == (
        504 if azureml else 500,
        {"message": f"Scoring timeout after {TIMEOUT_MS} ms"},
    )
    assert answer.headers["x-ms-run-function-failed"] == "True"


@pytest.mark.parametrize("what", ["sleep", "compute", "read"])
def test_a_call_that_python_can_end_is_ended_at_its_timeout(server: Server, what: str) -> None:
    assert_timeout(server, what)
    server.wait_ready()
    assert server.score("next").json() == "next"


@pytest.mark.parametrize(("script", "what"), [(HOLDING_NATIVELY, "hold"), (SCRIPT, "stubborn")])
def test_a_call_that_goes_on_is_answered_and_keeps_its_slot(
    start_server: StartServer, script: str, what: str
) -> None:
    server = start_server(script, SCORING_TIMEOUT_MS=str(TIMEOUT_MS), GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    assert_timeout(server, what)
    ready = server.management("/ready")
    assert (ready.status_code, ready.text) == (503, "A call of run() has outlived the scoring timeout\n")
    assert server.management("/live").status_code == 200
    assert server.score("x").json() == {"message": "Too many requests for service mnist (overloaded)"}
    (server.folder / "go").touch()
    server.wait_ready()
    assert server.score("x").json() == "x"


def test_a_scripts_timeout_error_is_answered_as_by_v1(bare: Server, azureml: Server) -> None:
    assert_timeout(bare, "raise")
    answer = azureml.score("raise")
    assert answer.status_code == 502
    assert answer.json()["message"].startswith("An unexpected error occurred in scoring script.")


def test_init_and_run_are_on_the_main_thread(bare: Server) -> None:
    assert "init on True" in bare.log
    assert bare.score("where").json() == [True, [7]]
    assert bare.score("signals").json() == ["user", "alarm"]


def test_a_scripts_alarm_works_after_a_call_was_ended(bare: Server) -> None:
    assert_timeout(bare, "sleep")
    assert bare.score("signals").json()[-1] == "alarm"


OVERLAPPING = """
import threading
def init():
    global meeting
    meeting = threading.Barrier(2, timeout=60)
def run(data):
    meeting.wait()
    return data
"""


def test_calls_overlap_only_where_that_is_asked_for(start_server: StartServer) -> None:
    server = start_server(
        OVERLAPPING, GPU_INFERENCE_PARALLEL_RUNS="2", GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="2"
    )
    server.wait_ready()
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(server.score("x").json())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert answers == ["x", "x"]


COUNTING = """
import time
now = most = 0
def init(): pass
def run(data):
    global now, most
    now += 1
    most = max(most, now)
    time.sleep(0.02)
    now -= 1
    return most
"""


def test_by_default_calls_never_overlap(start_server: StartServer) -> None:
    server = start_server(COUNTING, GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="6")
    server.wait_ready()
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(server.score("x").json())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert answers == [1] * 6


AT_THE_LIMIT = """
import random, time
def init(): pass
def run(way):
    end = time.perf_counter() + random.random() * 0.02
    while time.perf_counter() < end:
        if way == "print":
            print("again")
        if way == "sleep":
            time.sleep(0.001)
    return way
"""


def test_calls_ending_at_their_timeout_are_scored_or_timed_out(
    start_server: StartServer,
) -> None:
    server = start_server(AT_THE_LIMIT, SCORING_TIMEOUT_MS="10")
    server.wait_ready()
    statuses: list[int] = []

    def client() -> None:
        for number in range(60):
            way = ("print", "sleep", "compute")[number % 3]
            answer = server.score(way)
            assert answer.json() == (way if answer.ok else {"message": "Scoring timeout after 10 ms"})
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=client) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert len(statuses) == 120
    assert 500 in statuses
    assert set(statuses) <= {200, 500}
    server.wait_ready()
    assert server.log.count("Booting worker") == 1


ASYNCHRONOUS = """
import asyncio
async def init(): pass
async def run(data):
    if data == "sleep":
        await asyncio.sleep(1000)
    return data
"""


def test_an_asynchronous_call_is_ended_at_its_timeout(start_server: StartServer) -> None:
    server = start_server(ASYNCHRONOUS, SCORING_TIMEOUT_MS=str(TIMEOUT_MS))
    server.wait_ready()
    for _ in range(2):
        assert_timeout(server, "sleep")
        server.wait_ready()
        assert server.score("next").json() == "next"
