"""Fixtures that start real servers and end them whatever the test did."""

from collections.abc import Iterator, Sequence

import pytest
from tests.runtime.server_process import Server, StartServer


def _starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    servers: list[Server] = []

    def start(script: str | None = None, files: Sequence[str] = (), **settings: str) -> Server:
        server = Server(tmp_path_factory.mktemp("server"), script, files, settings)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.end()


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    yield from _starter(tmp_path_factory)


@pytest.fixture(scope="module")
def start_module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    yield from _starter(tmp_path_factory)
