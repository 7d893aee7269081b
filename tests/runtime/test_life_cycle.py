"""Starting and stopping: what probes see during init(), how a failed start ends, and draining."""

import http.client
import os
import select
import signal
import socket
import threading

import pytest
import requests
from tests.runtime.server_process import (
    HOLDING,
    HOLDING_NATIVELY,
    PATIENCE_SECONDS,
    HeldRequest,
    Server,
    StartServer,
)

# Whatever holds a server up goes on until the file `go` appears in its working directory.
SLOW_INIT = """
import pathlib, time
def init():
    print("init has begun")
    while not pathlib.Path("go").exists():
        {wait}
def run(data):
    return data
"""
# Its process is killed as the kernel kills one for want of memory: so many times in init(), or in run().
KILLED_IN_INIT = """
import os, pathlib, signal
def init():
    print("init has begun")
    tries = pathlib.Path("tries")
    with tries.open("a") as file:
        file.write("x")
    if tries.stat().st_size <= {times}:
        os.kill(os.getpid(), signal.SIGKILL)
def run(data):
    if data == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return data
"""
SLOW_FROM_NOW_ON = """
killed_at_first = init
def init():
    killed_at_first()
    print("waiting now")
    import time
    time.sleep(1000)
"""


def get(server: Server, path: str = "/") -> requests.Response:
    return requests.get(server.url(path), timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("wait", ["time.sleep(0.01)", "pass"], ids=["sleeping", "computing"])
def test_during_init_the_server_is_live_and_says_that_it_is_starting(
    start_server: StartServer, wait: str
) -> None:
    server = start_server(SLOW_INIT.format(wait=wait), GPU_INFERENCE_FRONT_END="azureml")
    server.wait_for_log("init has begun")
    server.wait_until(lambda: get(server).status_code == 503, "the port answers")
    assert get(server).text == "Starting"
    assert server.management("/live").status_code == 200
    assert (server.management("/ready").status_code, server.management("/ready").text) == (503, "Starting\n")
    assert server.score("x").json() == {"message": "No ready replicas for service mnist."}
    (server.folder / "go").touch()
    server.wait_ready()
    assert (get(server).status_code, get(server).text) == (200, "Healthy")
    assert server.score("x").json() == "x"


def test_without_a_script_the_built_in_one_echoes(start_server: StartServer) -> None:
    server = start_server()
    server.wait_ready()
    assert server.score("héllo".encode()).json() == "héllo"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "def init():\n    raise RuntimeError('no weights')\n" + "def run(d): pass",
            "RuntimeError: no weights",
        ),
        ("import sys\ndef init():\n    sys.exit(0)\ndef run(d): pass", "SystemExit: 0"),
        ("def init(:\n", "SyntaxError: "),
        ("def init(): pass\n", "does not have a run() function defined."),
        (
            "from azureml.core.model import Model\n"
            "def init():\n    Model.get_model_path('absent')\ndef run(d): pass",
            "ModelNotFoundException: Model absent not found in cache at",
        ),
    ],
    ids=["init raises", "init exits", "syntax error", "no run", "missing model"],
)
def test_a_script_that_cannot_start_ends_the_server_with_3(
    start_server: StartServer, script: str, words: str
) -> None:
    server = start_server(script)
    assert server.wait_for_exit() == 3
    assert words in server.log


def test_a_missing_script_ends_the_server_with_3_and_a_sentence(start_server: StartServer) -> None:
    server = start_server(AZUREML_ENTRY_SCRIPT="src/absent.py")
    assert server.wait_for_exit() == 3
    assert f"There is no entry script at {server.folder}/src/absent.py" in server.log
    assert "Traceback" not in server.log


def test_an_ambiguous_version_folder_ends_the_start(
    start_server: StartServer,
) -> None:
    server = start_server(
        "from azureml.core.model import Model\ndef init(): Model.get_model_path('net')\ndef run(d): pass",
        files=["azureml-models/net/1/a.pkl", "azureml-models/net/1/b.pkl"],
        AZUREML_MODEL_DIR="azureml-models/net/1",
    )
    assert server.wait_for_exit() == 3
    assert "azureml-models/net/1 can contain only 1 file or folder. Found [" in server.log
    assert "AZUREML_MODEL_DIR is 'azureml-models/net/1' and holds:\n  a.pkl\n  b.pkl\n" in server.log


def test_a_worker_always_killed_in_init_ends_the_server_with_3(
    start_server: StartServer,
) -> None:
    server = start_server(KILLED_IN_INIT.format(times=1000))
    assert server.wait_for_exit() == 3
    assert "was sent SIGKILL! Perhaps out of memory?" in server.log
    assert "has died 3 times before init() had ended" in server.log
    assert server.log.count("init has begun") == 3


def test_a_worker_sometimes_killed_in_init_is_replaced(start_server: StartServer) -> None:
    server = start_server(KILLED_IN_INIT.format(times=2))
    server.wait_for_log("User's init has completed")
    server.wait_ready()
    for _ in range(4):
        with pytest.raises(requests.ConnectionError):
            server.score("die")
        server.wait_ready()
        assert server.score("live").json() == "live"
    server.process.terminate()
    assert server.wait_for_exit() == 0


def test_sigterm_after_two_deaths_in_init_is_an_orderly_stop(start_server: StartServer) -> None:
    server = start_server(KILLED_IN_INIT.format(times=2) + SLOW_FROM_NOW_ON)
    server.wait_for_log("waiting now")
    server.process.terminate()
    assert server.wait_for_exit() == 0


def test_a_bad_setting_ends_the_start_with_one_sentence(start_server: StartServer) -> None:
    server = start_server(SCORING_TIMEOUT_MS="soon")
    assert server.wait_for_exit() == 1
    assert server.log == (
        "gpu-inference-server: SCORING_TIMEOUT_MS is 'soon' but must be a whole number of at least 1.\n"
    )


@pytest.mark.parametrize(
    ("variable", "name"), [("HEALTH_PORT", "health port"), ("SERVER_PORT", "port for scoring")]
)
def test_a_taken_port_ends_the_start_with_a_sentence(
    start_server: StartServer, variable: str, name: str
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        server = start_server(**{variable: str(port)})
        assert server.wait_for_exit() == 1
    assert f"The {name} {port} cannot be opened: Address already in use." in server.log


def test_sigterm_during_init_ends_the_server_at_once(start_server: StartServer) -> None:
    server = start_server(SLOW_INIT.format(wait="time.sleep(0.01)"), GPU_INFERENCE_DRAIN_SECONDS="1000")
    server.wait_for_log("init has begun")
    server.process.terminate()
    assert server.wait_for_exit() == 0


def waiting_for_init(server: Server) -> http.client.HTTPConnection:
    """Return a connection whose request has been sent, and not been answered for half a second."""
    server.wait_for_log("init has begun")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/score", "x")
    assert select.select([connection.sock], [], [], 0.5)[0] == []
    return connection


def test_on_the_bare_server_a_request_waits_for_init_as_under_v1(start_server: StartServer) -> None:
    server = start_server(SLOW_INIT.format(wait="time.sleep(0.01)"))
    client = waiting_for_init(server)
    (server.folder / "go").touch()
    assert client.getresponse().read() == b'"x"'


def test_sigterm_during_init_answers_whoever_waits_for_it(start_server: StartServer) -> None:
    server = start_server(SLOW_INIT.format(wait="time.sleep(0.01)"))
    client = waiting_for_init(server)
    server.process.terminate()
    assert server.wait_for_exit() == 0
    assert client.getresponse().status == 503


def score_in_vain(server: Server) -> None:
    with pytest.raises(requests.ConnectionError):
        server.score("hold")


@pytest.mark.parametrize("work", ["init", "run"])
def test_ctrl_c_ends_a_busy_server_at_once_and_cleanly(start_server: StartServer, work: str) -> None:
    server = start_server(SLOW_INIT.format(wait="time.sleep(0.01)") if work == "init" else HOLDING)
    if work == "run":
        server.wait_ready()
        threading.Thread(target=score_in_vain, args=(server,)).start()
    server.wait_for_log(f"{work} has begun")
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.wait_for_exit() == 0
    assert "Traceback" not in server.log


def test_draining_answers_all_that_comes_and_then_exits(
    start_server: StartServer,
) -> None:
    server = start_server(HOLDING, GPU_INFERENCE_DRAIN_SECONDS="4")
    server.wait_ready()
    with requests.Session() as kept_alive:
        first = kept_alive.post(server.url("/score"), data="a", timeout=PATIENCE_SECONDS)
        assert first.headers["Connection"] == "keep-alive"
        held = HeldRequest(server)
        server.process.terminate()
        server.wait_until(lambda: server.management("/ready").text == "Draining\n", "draining")
        assert server.management("/live").status_code == 200
        answers = [
            get(server),
            held.released(),
            kept_alive.post(server.url("/score"), data="b", timeout=PATIENCE_SECONDS),
            server.score("c"),
        ]
    assert [answer.text for answer in answers] == ["Healthy", '"hold"', '"b"', '"c"']
    assert {(answer.status_code, answer.headers["Connection"]) for answer in answers} == {(200, "close")}
    assert server.wait_for_exit() == 0


def test_a_request_that_outlasts_the_drain_is_still_answered(start_server: StartServer) -> None:
    server = start_server(HOLDING)
    server.wait_ready()
    held = HeldRequest(server)
    server.process.terminate()
    server.wait_for_log("Drained: no new connections are accepted any more")
    assert held.released().json() == "hold"
    assert server.wait_for_exit() == 0


def test_a_call_that_outlives_its_timeout_does_not_hold_up_the_stop(start_server: StartServer) -> None:
    server = start_server(HOLDING_NATIVELY, SCORING_TIMEOUT_MS="100")
    server.wait_ready()
    assert server.score("hold").json() == {"message": "Scoring timeout after 100 ms"}
    server.process.terminate()
    assert server.wait_for_exit() == 0
