"""Listening: on IPv4 and IPv6 at once, on IPv4 alone where there is no other, and on one port or two."""

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.ports import free_ports
from tests.runtime.server_process import PATIENCE_SECONDS, StartServer

from gpu_inference_runtime.process.listening import PortError, listen_everywhere, open_ports
from gpu_inference_runtime.settings import Settings


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


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_both_ports_are_opened() -> None:
    port, health_port = free_ports(2)
    scoring, management = open_ports(Settings(port=port, health_port=health_port))
    assert management is not None
    with scoring, management:
        assert [each.getsockname()[1] for each in (scoring, management)] == [port, health_port]


def test_the_bare_server_needs_no_default_health_port(taken: int, caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    scoring, management = open_ports(Settings(port=port, health_port=taken))
    with scoring:
        assert (scoring.getsockname()[1], management) == (port, None)
    assert caplog.messages == [
        f"The health port {taken} cannot be opened: Address already in use. There is no /live, no /ready and"
        " no /metrics. Set HEALTH_PORT to another port."
    ]


def test_one_port_for_all_is_opened_once() -> None:
    (port,) = free_ports(1)
    scoring, management = open_ports(Settings(port=port, health_port=port))
    with scoring:
        assert management is None


@pytest.mark.parametrize(
    "settings", [{"health_port_was_given": True}, {"front_end": "azureml"}], ids=["given", "cluster"]
)
def test_a_health_port_that_somebody_counts_on_must_be_free(settings: dict[str, Any], taken: int) -> None:
    (port,) = free_ports(1)
    with pytest.raises(PortError, match=f"^The health port {taken} cannot be opened: .* in use\\.$"):
        open_ports(Settings(port=port, health_port=taken, **settings))
    # The other one is free again.
    listen_everywhere(port).close()


def test_the_port_for_scoring_must_be_free(taken: int) -> None:
    with pytest.raises(PortError, match=f"^The port for scoring {taken} cannot be opened: "):
        open_ports(Settings(port=taken))


def test_a_server_scores_with_its_default_health_port_taken(start_server: StartServer) -> None:
    with contextlib.ExitStack() as held:
        # Whoever else has it does as well.
        with contextlib.suppress(OSError):
            held.enter_context(socket.create_server(("", 9090)))
        server = start_server(HEALTH_PORT="")
        server.wait_for_log("The health port 9090 cannot be opened")
        server.wait_until(lambda: requests.get(server.url("/"), timeout=PATIENCE_SECONDS).ok, "healthy")
        assert server.score("x").json() == "x"


def test_a_server_with_one_port_for_all_scores_and_is_healthy(start_server: StartServer) -> None:
    (port,) = free_ports(1)
    server = start_server(SERVER_PORT=str(port), HEALTH_PORT=str(port))
    server.port = port
    server.wait_until(lambda: requests.get(server.url("/"), timeout=PATIENCE_SECONDS).ok, "healthy")
    assert server.score("x").json() == "x"
    assert f"The port for scoring and the health port are both {port}" in server.log
