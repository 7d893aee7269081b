"""More clients than the server has threads stop in the middle of a head: it lets go of them in time."""

from pathlib import Path

import pytest
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.targets import KINDS
from tests.runtime.fuzz.test_stalled import connections
from tests.runtime.fuzz.wire import rest_of
from tests.runtime.server_process import StartServer

_MORE_THAN_THREADS = 120


@pytest.mark.parametrize("name", ["echo", "echo with keys"])
def test_clients_that_never_end_their_head_are_let_go(
    start_server: StartServer, tmp_path: Path, name: str
) -> None:
    kind = KINDS[name]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))
    with connections(fuzzed.server.port, _MORE_THAN_THREADS) as clients:
        for client in clients:
            client.sendall(b"POST /score HTTP/1.1\r\nHo")
        fuzzed.check_usual_request()
        for client in clients:
            assert rest_of(client) == b""
    fuzzed.check_log()
    fuzzed.check_rest()
