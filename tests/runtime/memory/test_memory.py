"""What an idle server takes, and that none grows with the requests it answers (longer: tests/soak)."""

from pathlib import Path

import pytest
from tests.runtime.memory.footprint import MIB, footprint
from tests.runtime.memory.kinds import GROWING, KINDS
from tests.runtime.memory.load import request, send_all
from tests.runtime.server_process import StartServer

MOST_WHEN_IDLE = 80 * MIB
REQUESTS = 2000
# Bytes for each request: less than whatever might be kept by mistake, such as a body or a future.
TOLERANCE = 400
LARGE = 20_000_000  # bytes
LENGTH = """
from azureml.contrib.services.aml_request import rawhttp
def init(): pass
{decorator}
def run(data): return len(data if isinstance(data, str) else data.get_data())
"""


@pytest.mark.parametrize("front_end", ["none", "azureml"])
def test_an_idle_server_with_the_echo_script_takes_at_most_80_mib(
    start_server: StartServer, front_end: str
) -> None:
    server = start_server(GPU_INFERENCE_FRONT_END=front_end)
    server.wait_ready()
    assert server.score("x").json() == "x"
    assert server.management("/metrics").status_code == 200
    assert footprint(server.process.pid).total <= MOST_WHEN_IDLE


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_requests(start_server: StartServer, tmp_path: Path, kind: str) -> None:
    server = KINDS[kind].start(start_server, tmp_path / "keys")
    assert KINDS[kind].growth(server, REQUESTS) < TOLERANCE


@pytest.mark.parametrize("decorator", ["", "@rawhttp"], ids=["text", "rawhttp"])
def test_a_large_body_is_freed_with_its_answer(start_server: StartServer, decorator: str) -> None:
    server = start_server(LENGTH.format(decorator=decorator))
    server.wait_ready()
    before = footprint(server.process.pid).own
    sizes = []
    for _ in range(10):
        send_all(server.port, [request(b"x" * LARGE)], 1, (200,))
        sizes.append(footprint(server.process.pid).own - before)
    # An answer may come a moment before its request is gone, which may be there as bytes and as text.
    assert max(sizes) < 4 * LARGE / 1024


def test_a_script_that_leaks_is_seen_to_grow(start_server: StartServer, tmp_path: Path) -> None:
    server = GROWING.start(start_server, tmp_path / "keys")
    assert GROWING.growth(server, REQUESTS) > 4 * TOLERANCE
