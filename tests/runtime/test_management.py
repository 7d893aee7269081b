"""The management port, over real sockets: what probes and Prometheus get."""

import http.client
import socket

import pytest
from tests.runtime.server_process import HOLDING_NATIVELY, PATIENCE_SECONDS, Server, StartServer


@pytest.fixture(scope="module")
def server(start_module_server: StartServer) -> Server:
    server = start_module_server()
    server.wait_ready()
    return server


def test_each_path_has_its_answer(server: Server) -> None:
    answers = [server.management(path) for path in ("/live", "/ready", "/metrics", "/other")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 404]
    assert [answer.text for answer in answers[:2]] == ["Live\n", "Ready\n"]
    assert answers[2].headers["Content-Type"].startswith("text/plain")
    assert "gpu_inference_busy_slots 0.0" in answers[2].text
    assert answers[3].text == "Not found: this port has /live, /ready and /metrics\n"


def test_a_query_does_not_matter_and_head_has_no_body(server: Server) -> None:
    assert server.management("/live?verbose=1").text == "Live\n"
    connection = http.client.HTTPConnection("127.0.0.1", server.health_port, timeout=PATIENCE_SECONDS)
    connection.request("HEAD", "/ready")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")


@pytest.mark.parametrize(
    ("sent", "status"), [(b"POST /live HTTP/1.1\r\n\r\n", b"501"), (b"nonsense\r\n\r\n", b"400")]
)
def test_what_is_no_probe_is_refused(server: Server, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.health_port), PATIENCE_SECONDS) as client:
        client.sendall(sent)
        assert client.makefile("rb").readline().split()[1] == status


def test_idle_connections_do_not_hold_up_a_probe(server: Server) -> None:
    clients = [socket.create_connection(("127.0.0.1", server.health_port)) for _ in range(50)]
    assert server.management("/live").status_code == 200
    for client in clients:
        client.close()


def test_a_call_past_its_time_takes_the_pod_out_until_it_ends(start_server: StartServer) -> None:
    server = start_server(HOLDING_NATIVELY, SCORING_TIMEOUT_MS="100")
    server.wait_ready()
    assert server.score("hold").status_code == 500
    ready = server.management("/ready")
    assert (ready.status_code, ready.text) == (503, "A call of run() has outlived the scoring timeout\n")
    assert server.management("/live").status_code == 200
    (server.folder / "go").touch()
    server.wait_ready()
