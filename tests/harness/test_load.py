"""The live tests' load notices what a user would notice; else no test under load could fail."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.live.load import Load
from tests.serving import serving


class Answering(ThreadingHTTPServer):
    """Answers 200 until told to do something else, once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mishaps: list[str] = []
        self.connections = 0
        self.requests = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/score"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Answering

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.server.requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        mishap = self.server.mishaps.pop() if self.server.mishaps else None
        if mishap == "hang up":
            self.close_connection = True
            return
        self.send_response(503 if mishap == "refuse" else 200)
        self.send_header("Content-Length", "0")
        if mishap == "close properly":
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name for it)
        """Keep the tests' output clean."""


@pytest.fixture
def server() -> Iterator[Answering]:
    with serving(Answering()) as server:
        yield server


def load_on(server: Answering) -> Load:
    return Load(server.uri, {}, pause_seconds=0.01)


def test_without_a_mishap_there_are_no_failures_and_half_of_the_clients_keep_their_connection(
    server: Answering,
) -> None:
    with load_on(server) as load:
        time.sleep(0.3)
    load.assert_no_failures()
    assert {outcome.client for outcome in load.outcomes} == {
        "0 (requests, kept alive)",
        "1 (http.client, kept alive)",
        "2 (requests, kept alive)",
        "3 (http.client, kept alive)",
        "4 (requests, one shot)",
        "5 (http.client, one shot)",
    }
    one_shot = sum("one shot" in outcome.client for outcome in load.outcomes)
    assert server.connections == one_shot + 4


def test_a_connection_that_the_server_announces_to_close_is_no_failure(server: Answering) -> None:
    with load_on(server) as load:
        server.mishaps += ["close properly"] * 20
        time.sleep(0.3)
    assert not server.mishaps
    load.assert_no_failures()


@pytest.mark.parametrize("mishap", ["refuse", "hang up"])
def test_each_refusal_and_each_broken_connection_is_a_failure(server: Answering, mishap: str) -> None:
    with load_on(server) as load:
        server.mishaps += [mishap] * 20
        load.wait_for_an_answer_to_each()
        while server.mishaps:
            time.sleep(0.01)
    assert len(load.failures) == 20
    with pytest.raises(AssertionError, match=r"20 of \d+ requests failed"):
        load.assert_no_failures()


def test_a_load_that_gets_no_answer_any_more_fails(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def answer_no_more() -> None:
        monkeypatch.setattr("tests.live.load.PATIENCE_SECONDS", 0.3)
        monkeypatch.setattr(_Handler, "do_POST", lambda _: ended.wait(60))

    load = load_on(server)
    with pytest.raises(AssertionError, match="No more answers"), load:
        answer_no_more()
    ended.set()
