"""Several worker processes, each with a model of its own, that look like one server from outside."""

import re
import threading

import pytest
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

# The second init() waits for the file `go`; run() of "hold" waits for `release`.
SCRIPT = """
import os, pathlib, time

def wait_for(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.01)

def init():
    try:
        pathlib.Path("first").touch(exist_ok=False)
    except FileExistsError:
        print("the second init has begun")
        wait_for("go")

def run(what):
    if what == "hold":
        print("holding")
        wait_for("release")
    if what == "die":
        os._exit(7)
    return os.getpid()
"""


def number(server: Server, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", server.management("/metrics").text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def test_two_workers_share_requests_and_metrics(
    start_server: StartServer,
) -> None:
    server = start_server(SCRIPT, WORKER_COUNT="2", GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="3")
    server.wait_for_log("the second init has begun")
    server.wait_for_log("User's init has completed")
    assert server.management("/live").status_code == 200
    assert (server.management("/ready").status_code, server.management("/ready").text) == (503, "Starting\n")
    (server.folder / "go").touch()
    server.wait_ready()

    pids: list[int] = []
    in_hand = ("gpu_inference_busy_slots", "gpu_inference_queued_requests")
    holding = []
    for count in range(1, 5):
        holding.append(threading.Thread(target=lambda: pids.append(server.score("hold").json()), daemon=True))
        holding[-1].start()
        server.wait_until(lambda: sum(number(server, name) for name in in_hand) == count, f"{count} in hand")  # noqa: B023  (it is called at once)
    assert number(server, "gpu_inference_capacity_slots") == 4
    (server.folder / "release").touch()
    for thread in holding:
        thread.join(PATIENCE_SECONDS)
    assert len(pids) == 4
    assert len(set(pids)) == 2
    server.wait_until(lambda: number(server, "gpu_inference_busy_slots") == 0, "no slot is taken")
    assert number(server, 'gpu_inference_requests_total{code="200"}') == 4
    assert number(server, "gpu_inference_run_seconds_count") == 4
    assert number(server, "gpu_inference_init_seconds") > 0

    server.process.terminate()
    assert server.wait_for_exit() == 0


def test_a_worker_that_dies_is_replaced_and_its_counts_stay(
    start_server: StartServer,
) -> None:
    server = start_server(SCRIPT, files=["go"], WORKER_COUNT="2", GPU_INFERENCE_MAX_CONCURRENT_REQUESTS="2")
    server.wait_ready()
    assert server.score("count me").status_code == 200
    first = server.log.count("User's init has completed")
    with pytest.raises(Exception, match=r"RemoteDisconnected|reset"):
        server.score("die")
    assert server.score("live").status_code == 200
    server.wait_until(lambda: server.log.count("User's init has completed") > first, "it is replaced")
    server.wait_ready()
    assert number(server, 'gpu_inference_requests_total{code="200"}') == 2
    assert number(server, "gpu_inference_capacity_slots") == 2


def test_a_worker_that_cannot_start_ends_the_server_with_3(start_server: StartServer) -> None:
    server = start_server("def init():\n    raise RuntimeError('no')\ndef run(d): pass", WORKER_COUNT="2")
    assert server.wait_for_exit() == 3
