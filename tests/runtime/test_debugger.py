"""AZUREML_DEBUG_PORT with the real debugpy: the script waits for the debugger, and says if there is none."""

import socket

from tests.ports import free_ports
from tests.runtime.server_process import PATIENCE_SECONDS, StartServer

SCRIPT = "print('loaded')\ndef init(): pass\ndef run(data): return data"


def test_the_script_is_not_loaded_before_the_debugger_lets_it(start_server: StartServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as debugger:
        debugger.settimeout(PATIENCE_SECONDS)
        port = debugger.getsockname()[1]
        server = start_server(SCRIPT, AZUREML_DEBUG_PORT=str(port))
        connection, _ = debugger.accept()
        with connection:
            assert f"Waiting for the debugger on port {port}" in server.log
            assert server.management("/ready").status_code == 503
            assert "loaded" not in server.log


def test_a_debugger_that_is_not_there_ends_the_start_with_a_sentence(start_server: StartServer) -> None:
    (port,) = free_ports(1)
    server = start_server(SCRIPT, AZUREML_DEBUG_PORT=str(port))
    assert server.wait_for_exit() == 3
    assert f"AZUREML_DEBUG_PORT is {port} but no debugger could be reached there" in server.log
    assert "loaded" not in server.log
