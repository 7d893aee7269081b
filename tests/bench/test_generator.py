import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.bench.environments import generator_program
from tests.bench.load import Generator, Phase
from tests.bench.processes import two_cores
from tests.bench.workloads import Workloads
from tests.serving import serving

from gpu_inference.progress import Silent

HANDLING_SECONDS = 0.02


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one segment, or the second waits for the acknowledgement of the first.
    wbufsize = -1
    status = 200
    closes = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(HANDLING_SECONDS)
        self.send_response(self.status)
        if self.status == 503:
            self.send_header("Retry-After", "1")
        if self.closes:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"[7]")

    def log_message(self, *_: object) -> None:
        pass


Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as running:

        def start(**attributes: object) -> int:
            handler = type("Asked", (Handler,), attributes)
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            return int(running.enter_context(serving(server)).server_address[1])

        yield start


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(generator_program(Silent()), two_cores()[1])


@pytest.fixture
def requests(tmp_path: Path) -> tuple[Path, ...]:
    return Workloads(tmp_path).requests("row", "v1", "echo").files


def test_a_closed_loop_keeps_its_connections_busy(
    generator: Generator, serve: Serve, requests: tuple[Path, ...]
) -> None:
    result = generator.load(serve(), requests, 4, [Phase(0.5)])

    assert result.connects == 4
    assert result.answers == dict.fromkeys(range(len(requests)), b"[7]")
    assert result.phases[0].bad == {}
    # Four connections, each busy with one request of 20 ms after another.
    assert 40 < result.phases[0].good <= 0.5 / HANDLING_SECONDS * 4 + 4
    assert result.phases[0].accepted.percentile(0) >= HANDLING_SECONDS * 1e6 * 0.99


def test_a_server_that_closes_is_connected_to_again(
    generator: Generator, serve: Serve, requests: tuple[Path, ...]
) -> None:
    result = generator.load(serve(closes=True), requests, 2, [Phase(0.3)])

    assert result.phases[0].bad == {}
    assert result.phases[0].good > 10
    assert result.connects >= result.total


def test_an_open_loop_counts_latency_from_the_scheduled_arrival(
    generator: Generator, serve: Serve, requests: tuple[Path, ...]
) -> None:
    # One connection answers 50 a second; 100 a second arrive, so that the last ones wait for half of it.
    result = generator.load(serve(), requests, 1, [Phase(0.8, 100)], warmup_seconds=0, drain_seconds=10)

    phase = result.phases[0]
    assert phase.bad == {}
    assert phase.good == pytest.approx(80, abs=45)
    assert phase.accepted.percentile(100) > 0.2 * 1e6


def test_refusals_are_counted_apart(generator: Generator, serve: Serve, requests: tuple[Path, ...]) -> None:
    result = generator.load(serve(status=503), requests, 2, [Phase(0.2)])

    phase = result.phases[0]
    assert phase.good == phase.accepted.total == 0
    assert phase.refused.total == phase.retry_after == phase.bad["503"] > 0


def test_a_server_that_is_not_there_is_an_error(generator: Generator, requests: tuple[Path, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    result = generator.load(port, requests, 2, [Phase(0.1)])

    assert result.phases[0].good == 0
    assert set(result.phases[0].errors) == {"connect"}


def test_a_request_that_is_never_answered_times_out(generator: Generator, requests: tuple[Path, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = generator.load(port, requests, 1, [Phase(0.5)], timeout_seconds=0.1, drain_seconds=1)

    assert result.phases[0].good == 0
    assert result.phases[0].errors["timeout"] >= 2


def test_held_connections_stay_until_the_block_ends(generator: Generator, requests: tuple[Path, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        seen: list[bytes] = []

        def accept() -> None:
            for _ in range(3):
                connection, _ = listener.accept()
                connection.settimeout(0.3)
                with connection:
                    try:
                        seen.append(connection.recv(1 << 20))
                    except TimeoutError:
                        seen.append(b"silent")

        thread = threading.Thread(target=accept)
        thread.start()
        with generator.holding(listener.getsockname()[1], requests[0], 2, 1) as outcome:
            thread.join()

    half = requests[0].read_bytes()[: requests[0].stat().st_size // 2]
    assert seen == [half, half, b"silent"]
    assert outcome["opened"] == 3
    assert outcome["refused"] == 0
