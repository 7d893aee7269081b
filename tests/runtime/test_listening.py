"""Listening on every address: IPv4 and IPv6 at once, and IPv4 alone where there is no other."""

import errno
import os
import re
import socket
from collections.abc import Iterator

import pytest
import requests
from tests.runtime.server_process import PATIENCE_SECONDS, StartServer

from gpu_inference_runtime.process.listening import listen_everywhere


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


ADDRESSES = ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",)


@pytest.fixture
def without_ipv6(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """A machine that answers to IPv6 as the test says: when the socket is made, or when it is bound."""
    real = socket.socket

    class Socket(real):  # type: ignore[misc, valid-type]  # a class that is only known here
        def __init__(self, family: int = -1, *arguments: int) -> None:
            if family == socket.AF_INET6 and request.param == errno.EAFNOSUPPORT:
                raise OSError(request.param, "no IPv6")
            super().__init__(family, *arguments)

        def bind(self, address: tuple[str, int]) -> None:
            if self.family == socket.AF_INET6 and request.param == errno.EADDRNOTAVAIL:
                raise OSError(request.param, "no IPv6")
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Socket)
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("address", ADDRESSES)
def test_both_kinds_of_addresses_are_answered(address: str) -> None:
    with listen_everywhere(0) as listener:
        port = listener.getsockname()[1]
        socket.create_connection((address, port), PATIENCE_SECONDS).close()


@pytest.mark.parametrize("without_ipv6", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL], indirect=True)
@pytest.mark.usefixtures("without_ipv6")
def test_where_there_is_no_ipv6_ipv4_is_answered() -> None:
    with listen_everywhere(0) as listener:
        assert listener.family == socket.AF_INET
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS).close()


def test_a_port_that_is_taken_by_either_kind_is_an_error() -> None:
    taken_message = re.escape(os.strerror(errno.EADDRINUSE))
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match=taken_message),
    ):
        listen_everywhere(taken.getsockname()[1])


def test_a_server_scores_and_is_probed_over_both_kinds_of_addresses(start_server: StartServer) -> None:
    server = start_server()
    server.wait_ready()
    for address in ADDRESSES:
        host = f"[{address}]" if ":" in address else address
        scored = requests.post(
            f"http://{host}:{server.port}/score", json={"data": 1}, timeout=PATIENCE_SECONDS
        )
        assert scored.json() == '{"data": 1}'
        probed = requests.get(f"http://{host}:{server.health_port}/ready", timeout=PATIENCE_SECONDS)
        assert probed.status_code == 200
