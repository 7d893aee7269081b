"""Fixtures that start real servers and end them whatever the test did."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

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


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the keys `first` and `second`."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "primaryKey").write_text("first\n")
    (folder / "secondaryKey").write_text("second\n")
    return folder


@pytest.fixture
def own_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test import entry scripts in this process as a server does, and leave no trace of them."""
    from inference_schema import schema_util

    from gpu_inference_script.stand_ins import contrib_services

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    contrib_services.offer()
    for name in ("entry_module", "azureml.contrib.services.aml_request"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    # inference-schema remembers functions by their names for ever.
    for registry in (schema_util.__functions_schema__, schema_util.__versions__):
        registry.pop("entry_module.run", None)
