"""Requests whose head came before: they are not parsed again, and nobody can tell."""

import contextlib
import http.client
import itertools
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

from gpu_inference_runtime.http.request_head import KnownHeads, RequestHead

SCRIPT = """
def init():
    pass

def run(text):
    return text if len(text) < 1000 else [len(text), text[:3], text[-3:]]
"""
KEY = "Authorization: Bearer first"


@pytest.fixture(scope="module")
def server(start_module_server: StartServer) -> Server:
    server = start_module_server(SCRIPT)
    server.wait_ready()
    return server


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def head(length: int, *lines: str) -> bytes:
    text = ["POST /score HTTP/1.1", "Host: x", f"Content-Length: {length}", *lines, "", ""]
    return "\r\n".join(text).encode()


def answer(client: socket.socket) -> tuple[int, str]:
    """Read one answer, and not a byte more: the next one may be there already."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, data
        data += byte
    status = int(data.split(b" ", 2)[1])
    [length] = [line.split(b": ")[1] for line in data.split(b"\r\n") if line.startswith(b"Content-Length")]
    body = b""
    while len(body) < int(length):
        body += client.recv(int(length) - len(body))
    return status, body.decode()


def make_known(server: Server, *heads: bytes) -> None:
    for each in heads:
        with connected(server) as client:
            client.sendall(each + b"k" * int(each.split(b"Content-Length: ")[1].split(b"\r")[0]))
            answer(client)


def test_each_request_has_its_own_body(server: Server) -> None:
    with connected(server) as client:
        for number in range(20):
            body = b"%03d" % number
            client.sendall(head(3) + body)
            assert answer(client) == (200, f'"{number:03}"')


@pytest.mark.parametrize("pieces", [1, 2, 3, 60])
@pytest.mark.parametrize("size", [60, 20_000, 300_000, 5_000_000])
def test_the_body_may_come_in_pieces_after_the_head(server: Server, size: int, pieces: int) -> None:
    make_known(server, head(size))
    body = b"abc" + b"." * (size - 6) + b"xyz"
    step = size // pieces
    with connected(server) as client:
        for _ in range(2):
            client.sendall(head(size))
            for begin in range(0, size, step):
                client.sendall(body[begin : begin + step])
            expected = f'[{size}, "abc", "xyz"]' if size >= 1000 else f'"{body.decode()}"'
            assert answer(client) == (200, expected)


@pytest.mark.parametrize("cut", [5, 30, 50, 53])
def test_the_head_may_come_in_pieces(server: Server, cut: int) -> None:
    make_known(server, head(2))
    with connected(server) as client:
        for body in (b"aa", b"bb"):
            client.sendall(head(2)[:cut])
            client.sendall(head(2)[cut:] + body)
            assert answer(client) == (200, f'"{body.decode()}"')


def test_requests_sent_together_are_answered_in_order(server: Server) -> None:
    make_known(server, head(2), head(4), head(20_000))
    small, large = head(2) + b"ab", head(20_000) + b"y" * 20_000
    expected = [(200, '"ab"'), (200, '[20000, "yyy", "yyy"]'), (200, '"ab"'), (200, '"wxyz"')]
    sent = small + large + small + head(4) + b"wxyz"
    for size in (len(sent), 1, 7, 23, 60, 61, 1000, 19_000):
        with connected(server) as client:
            for begin in range(0, len(sent), size):
                client.sendall(sent[begin : begin + size])
            assert [answer(client) for _ in expected] == expected


def test_the_end_of_a_body_and_the_next_request_may_come_together(server: Server) -> None:
    make_known(server, head(4), head(2))
    with connected(server) as client:
        for _ in range(5):
            client.sendall(head(4) + b"wx")
            client.sendall(b"yz" + head(2) + b"ab" + head(4) + b"1")
            client.sendall(b"234")
            assert [answer(client) for _ in range(3)] == [(200, '"wxyz"'), (200, '"ab"'), (200, '"1234"')]


def any_request(numbers: random.Random) -> tuple[bytes, tuple[int, str]]:
    """Return a request and its answer."""
    size = numbers.choice([0, 1, 50, 999, 1000, 16_000, 70_000])
    body = "".join(numbers.choices("abcdefgh", k=size))
    result = f'"{body}"' if size < 1000 else f'[{size}, "{body[:3]}", "{body[-3:]}"]'
    kind = numbers.choice(["known", "known", "with id", "chunked", "health"])
    if kind == "health":
        return b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", (200, "Healthy")
    if kind == "chunked":
        text = b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        step = numbers.choice([7, 400, 30_000])
        pieces = [body[at : at + step].encode() for at in range(0, size, step)]
        return text + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in [*pieces, b""]), (200, result)
    lines = [f"x-request-id: {numbers.random()}"] if kind == "with id" else []
    return head(size, *lines) + body.encode(), (200, result)


@pytest.mark.parametrize("seed", range(8))
def test_any_requests_in_any_pieces_are_answered_in_order(server: Server, seed: int) -> None:
    numbers = random.Random(seed)
    for _ in range(15):
        pairs = [any_request(numbers) for _ in range(numbers.randint(1, 6))]
        sent = b"".join(request for request, _ in pairs)
        step = numbers.choice([3, 40, 1500, 30_000, len(sent)])
        cuts = sorted({0, len(sent), *numbers.sample(range(len(sent)), min(len(sent) // step, 300))})
        with connected(server) as client:
            for begin, end in itertools.pairwise(cuts):
                client.sendall(sent[begin:end])
            assert [answer(client) for _ in pairs] == [expected for _, expected in pairs]


def test_a_client_that_stops_in_the_middle_of_a_body_gets_400(server: Server) -> None:
    make_known(server, head(10))
    with connected(server) as client:
        client.sendall(head(10) + b"12345")
        client.shutdown(socket.SHUT_WR)
        assert answer(client)[0] == 400
        assert client.recv(1) == b""


def test_a_client_that_wants_the_connection_closed_gets_it(server: Server) -> None:
    for _ in range(3):
        with connected(server) as client:
            client.sendall(head(2, "Connection: close") + b"ab")
            assert answer(client) == (200, '"ab"')
            assert client.recv(1) == b""


def test_what_is_no_http_is_refused_after_a_known_request_too(server: Server) -> None:
    make_known(server, head(2))
    with connected(server) as client:
        client.sendall(head(2) + b"ab")
        answer(client)
        client.sendall(b"NOT HTTP\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_the_key_is_checked_with_each_request(start_server: StartServer, tmp_path: Path) -> None:
    key = tmp_path / "primaryKey"
    key.write_text("first")
    server = start_server(SCRIPT, GPU_INFERENCE_KEYS_DIR=str(tmp_path), GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    with connected(server) as client:
        client.sendall(head(2, KEY) + b"ab")
        assert answer(client)[0] == 200
        key.write_text("renewed")
        client.sendall(head(2, KEY) + b"ab")
        assert answer(client)[0] == 401
        client.sendall(head(2, KEY.replace("first", "renewed")) + b"ab")
        assert answer(client)[0] == 200


def test_a_refused_body_is_dropped_and_the_connection_goes_on(start_server: StartServer, keys: Path) -> None:
    server = start_server(SCRIPT, GPU_INFERENCE_KEYS_DIR=str(keys), GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    with connected(server) as client:
        for _ in range(3):
            client.sendall(head(5000))
            assert answer(client)[0] == 401
            client.sendall(b"x" * 2000)
            client.sendall(b"x" * 3000 + head(2, KEY) + b"ab")
            assert answer(client) == (200, '"ab"')


def test_each_answer_has_an_id_of_its_own(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        ids = set()
        for _ in range(200):
            connection.request("POST", "/score", b"x")
            got = connection.getresponse()
            got.read()
            ids.add(got.headers["x-request-id"])
        assert len(ids) == 200


def request_head(raw: bytes, **headers: bytes) -> RequestHead:
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return RequestHead(b"POST", b"/score", given, "1.1", True, raw)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_request_id": b"1"},
        {"x_ms_request_id": b"1"},
        {"x_ms_client_request_id": b"1"},
        {"traceid": b"1"},
        {"traceparent": b"1"},
        {"transfer_encoding": b"chunked"},
        {"expect": b"100-continue"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_only_repeated_heads_with_plain_bodies_are_remembered(headers: dict[str, bytes]) -> None:
    known = KnownHeads()
    known.add(request_head(b"a", **headers))
    assert known.get(b"a") is None


def test_the_memory_of_heads_is_bounded() -> None:
    known = KnownHeads()
    known.add(request_head(b"x" * 1025))
    assert known.get(b"x" * 1025) is None
    for number in range(10_000):
        known.add(request_head(b"%d" % number))
    found = [number for number in range(10_000) if known.get(b"%d" % number) is not None]
    assert 0 < len(found) <= 512
    assert 9_999 in found
