"""The memory of a server over very many requests of each kind."""

from pathlib import Path

import pytest
from tests.runtime.memory.kinds import KINDS
from tests.runtime.server_process import StartServer

# Bytes for each request: less than a single Python object with a dictionary.
_TOLERANCE = 50


@pytest.mark.parametrize("kind", KINDS)
def test_memory_does_not_grow_with_very_many_requests(
    start_server: StartServer, tmp_path: Path, kind: str, soak_requests: int
) -> None:
    server = KINDS[kind].start(start_server, tmp_path / "keys")
    growth = KINDS[kind].growth(server, soak_requests)
    print(f"{kind}: {growth:.1f} bytes for each request")
    assert growth < _TOLERANCE
