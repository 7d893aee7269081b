"""What neither server does differently while it lives and when it is told to stop (contract §3.10)."""

import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.runtime.differential.cases.case import case, post
from tests.runtime.differential.exchange import Reply, send
from tests.runtime.differential.sides import Running, Zygote, running

# run() of "hold" goes on until there is a file `go`; calls that overlap are counted.
_HOLDING = """
import pathlib, threading, time

inside = 0
most = 0

def init():
    print("init has run")

def run(data):
    global inside, most
    inside += 1
    most = max(most, inside)
    if data == "hold":
        print("run has begun")
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
    time.sleep(0.01)
    inside -= 1
    return [data, most]
"""
_HOLD = post(b"hold", "text/plain", name="hold")


def _each(servers: list[Running], check: Callable[[Running], None]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(check, servers))


def _body(reply: Reply) -> tuple[int, bytes]:
    return reply.status, reply.body


def test_calls_of_run_never_overlap(zygotes: Sequence[Zygote], tmp_path: Path) -> None:
    def check(server: Running) -> None:
        assert server.wait_until_ready()
        asks = [post(str(i).encode(), "text/plain") for i in range(6)]
        with ThreadPoolExecutor() as pool:
            replies = list(pool.map(lambda ask: send(ask, server.port), asks))
        assert [_body(reply) for reply in replies] == [(200, b'["%d", 1]' % i) for i in range(6)]

    with running(zygotes, case("overlapping", _HOLDING), tmp_path) as servers:
        _each(servers, check)


@pytest.mark.parametrize("workers", [1, 2])
def test_init_runs_once_in_each_worker(workers: int, zygotes: Sequence[Zygote], tmp_path: Path) -> None:
    arguments = ("--entry_script", "src/score.py", "--port", "{port}", "--worker_count", str(workers))

    def check(server: Running) -> None:
        assert server.wait_until_ready()
        server.wait_until(lambda: server.log.count("init has run") >= workers, "init in each worker")
        assert _body(send(post(b"x"), server.port)) == (200, b'["x", 1]')
        assert server.log.count("init has run") == workers

    with running(zygotes, case("workers", _HOLDING, arguments=arguments), tmp_path) as servers:
        _each(servers, check)


def test_a_request_in_flight_at_sigterm_is_answered(zygotes: Sequence[Zygote], tmp_path: Path) -> None:
    def check(server: Running) -> None:
        assert server.wait_until_ready()
        with ThreadPoolExecutor() as pool:
            held = pool.submit(send, _HOLD, server.port)
            server.wait_until(lambda: "run has begun" in server.log, "the call")
            os.kill(server.pid, signal.SIGTERM)
            server.wait_until(lambda: "Handling signal: term" in server.log, "the signal")
            (server.folder / "go").touch()
            assert _body(held.result()) == (200, b'["hold", 1]')
        assert server.wait_for_exit() == 0

    with running(zygotes, case("stopping", _HOLDING), tmp_path) as servers:
        _each(servers, check)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_an_idle_server_ends_with_the_incumbents_exit_status(
    number: signal.Signals, zygotes: Sequence[Zygote], tmp_path: Path
) -> None:
    def exit_status(server: Running) -> int:
        assert server.wait_until_ready()
        os.kill(server.pid, number)
        return server.wait_for_exit()

    with running(zygotes, case("idle", _HOLDING), tmp_path) as servers:
        assert [exit_status(server) for server in servers] == [0, 0]


def test_a_server_stops_at_sigterm_while_init_goes_on(zygotes: Sequence[Zygote], tmp_path: Path) -> None:
    script = "import time\ndef init():\n    print('init has begun')\n    time.sleep(1.5)\ndef run(data): pass"

    def exit_status(server: Running) -> int:
        server.wait_until(lambda: "init has begun" in server.log, "init")
        os.kill(server.pid, signal.SIGTERM)
        return server.wait_for_exit()

    with running(zygotes, case("stopped in init", script), tmp_path) as servers, ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(exit_status, servers)
    assert (theirs, ours) == (0, 0)
