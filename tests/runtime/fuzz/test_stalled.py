"""Clients that stop in the middle of a request, or never begin one, keep nobody else waiting."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.fuzz.properties import Fuzzed
from tests.runtime.fuzz.targets import KEY, KINDS
from tests.runtime.fuzz.wire import answers, rest_of
from tests.runtime.server_process import PATIENCE_SECONDS, StartServer

# Of each kind below: together as many as may wait for a replica.
_CLIENTS = 12
_HEAD = f"POST /score HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n".encode()
_CLOSING = b"Connection: close\r\n"
# What is sent, and what would complete it.
STALLED = {
    "nothing": (b"", _HEAD + _CLOSING + b"Content-Length: 1\r\n\r\nx"),
    "half a request line": (_HEAD[:7], _HEAD[7:] + _CLOSING + b"Content-Length: 1\r\n\r\nx"),
    "half a head": (_HEAD, _CLOSING + b"Content-Length: 1\r\n\r\nx"),
    "half a body": (_HEAD + _CLOSING + b"Content-Length: 2\r\n\r\nx", b"y"),
    "half a chunk": (
        _HEAD + _CLOSING + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe",
        b"llo\r\n0\r\n\r\n",
    ),
}


@contextlib.contextmanager
def connections(port: int, number: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))
            for _ in range(number)
        ]


@pytest.mark.parametrize("name", ["echo", "echo with keys"])
def test_stalled_clients_keep_nobody_waiting_and_may_go_on(
    start_server: StartServer, tmp_path: Path, name: str
) -> None:
    kind = KINDS[name]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))
    port = fuzzed.server.port
    with (
        connections(port, _CLIENTS * len(STALLED)) as clients,
        connections(fuzzed.server.health_port, _CLIENTS),
    ):
        sent = [
            (client, *stalled)
            for client, stalled in zip(clients, [*STALLED.values()] * _CLIENTS, strict=True)
        ]
        for client, beginning, _ in sent:
            client.sendall(beginning)
        for _ in range(20):
            fuzzed.check_usual_request()
        assert fuzzed.server.management("/ready").status_code == 200
        for client, _, rest in sent:
            client.sendall(rest)
        for client, *_ in sent:
            [answer] = answers(rest_of(client), ["POST"])
            assert answer.status == 200, answer
    fuzzed.check_rest()


def test_a_body_that_comes_byte_by_byte_is_scored(start_server: StartServer, tmp_path: Path) -> None:
    kind = KINDS["echo with keys"]
    fuzzed = Fuzzed(kind, kind.start(start_server, tmp_path / "keys"))
    with connections(fuzzed.server.port, 1) as [client]:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in _HEAD + _CLOSING + b"Content-Length: 5\r\n\r\nhello":
            client.sendall(bytes([byte]))
            time.sleep(0.001)
        [answer] = answers(rest_of(client), ["POST"])
    assert (answer.status, answer.body) == (200, b'"hello"')
    fuzzed.check_rest()
