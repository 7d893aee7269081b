"""What an idle server takes, and that none grows with the requests it answers (longer: tests/soak)."""

from pathlib import Path

import pytest
from tests.runtime.memory.footprint import MIB, footprint
from tests.runtime.memory.kinds import GROWING, KINDS
from tests.runtime.server_process import StartServer

MOST_WHEN_IDLE = 80 * MIB
REQUESTS = 2000
# Bytes for each request: less than whatever might be kept by mistake, such as a body or a future.
TOLERANCE = 400


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


def test_a_script_that_keeps_a_little_of_each_request_is_seen_to_grow(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = GROWING.start(start_server, tmp_path / "keys")
    assert GROWING.growth(server, REQUESTS) > 4 * TOLERANCE
