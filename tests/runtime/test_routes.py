"""What is where, over real sockets: paths, methods, and which headers go with which answer (bare server)."""

import pytest
import requests
from tests.runtime.raw import raw
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

from gpu_inference_runtime import __version__

SCRIPT = """
def init(): pass
def run(data):
    if data == "raise":
        raise ValueError
    return data
"""
SERVICE = "/api/v1/service/mnist"
NOT_FOUND = (
    b'{"message": "The requested URL was not found on the server. '
    b'If you entered the URL manually please check your spelling and try again."}'
)
NOT_ALLOWED = b'{"message": "The method is not allowed for the requested URL."}'
IDS = {"x-request-id", "x-ms-request-id", "x-ms-server-version"}
OF_SERVER = {"Server", "Date", "Connection"}


@pytest.fixture(scope="module")
def bare(start_module_server: StartServer) -> Server:
    server = start_module_server(SCRIPT)
    server.wait_ready()
    return server


def ask(server: Server, method: str, path: str, **more: object) -> requests.Response:
    return requests.request(
        method,
        server.url(path),
        timeout=PATIENCE_SECONDS,
        allow_redirects=False,
        **more,  # type: ignore[arg-type]
    )


def names(answer: requests.Response) -> set[str]:
    return set(answer.headers) - OF_SERVER


@pytest.mark.parametrize("prefix", ["", SERVICE])
def test_a_scored_request_has_exactly_the_contracts_headers(bare: Server, prefix: str) -> None:
    answer = bare.score("ä", f"{prefix}/score")
    assert (answer.status_code, answer.content) == (200, b'"\\u00e4"')
    assert names(answer) == IDS | {
        "x-ms-run-function-failed",
        "x-ms-run-fn-exec-ms",
        "Content-Type",
        "Content-Length",
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["x-ms-server-version"] == f"gpu-inference/{__version__}"


@pytest.mark.parametrize("path", ["/", f"{SERVICE}/", SERVICE])
@pytest.mark.parametrize(("method", "body"), [("GET", b"Healthy"), ("HEAD", b"")])
def test_health_is_a_page_with_ids(bare: Server, path: str, method: str, body: bytes) -> None:
    answer = ask(bare, method, path)
    assert (answer.status_code, answer.content) == (200, body)
    assert names(answer) == IDS | {"Content-Type", "Content-Length"}
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Length"] == "7"


@pytest.mark.parametrize("path", ["/", f"{SERVICE}/", "/swagger.json", f"{SERVICE}/swagger.json"])
def test_options_of_what_is_only_read_names_the_methods(bare: Server, path: str) -> None:
    answer = ask(bare, "OPTIONS", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    assert names(answer) == IDS | {"Content-Type", "Content-Length", "Allow"}


@pytest.mark.parametrize("path", ["/score", f"{SERVICE}/score"])
def test_options_of_the_scoring_path_is_answered_without_the_script(bare: Server, path: str) -> None:
    answer = ask(bare, "OPTIONS", path, data="raise")
    assert (answer.status_code, answer.content) == (200, b"")
    assert names(answer) == IDS | {"Content-Type", "Content-Length", "x-ms-run-function-failed"}


def test_head_of_the_scoring_path_is_the_scripts_405(bare: Server) -> None:
    answer = ask(bare, "HEAD", "/score")
    assert answer.status_code == 405
    assert answer.headers["Content-Length"] == str(len(b'{"message": "Method not allowed"}'))
    assert names(answer) == IDS | {"Content-Type", "Content-Length", "x-ms-run-function-failed"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("PUT", "/score"),
        ("DELETE", "/score"),
        ("PATCH", f"{SERVICE}/score"),
        ("POST", "/swagger.json"),
    ],
)
def test_other_methods_are_405_without_ids(bare: Server, method: str, path: str) -> None:
    answer = ask(bare, method, path)
    assert (answer.status_code, answer.content) == (405, NOT_ALLOWED)
    assert names(answer) == {"Content-Type", "Content-Length", "Allow", "x-ms-run-function-failed"}
    assert "OPTIONS" in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/score/"),
        ("OPTIONS", "/score/"),
        ("GET", "/absent"),
        ("POST", "/Score"),
        ("GET", "/swagger.json/"),
        ("POST", f"{SERVICE}/score/"),
        ("PUT", f"{SERVICE}/absent"),
        ("POST", "/api/v1/service/other/score"),
        ("GET", "/api/v1/service/other/score"),
        ("OPTIONS", "/api/v1/service/other/score"),
        ("GET", "/api/v1/service/other/swagger.json"),
        ("GET", "/api/v1/service/other/"),
        ("GET", "/api/v1/service"),
    ],
)
def test_other_paths_and_services_are_404_without_ids(bare: Server, method: str, path: str) -> None:
    answer = ask(bare, method, path)
    assert (answer.status_code, answer.content) == (404, NOT_FOUND)
    assert names(answer) == {"Content-Type", "Content-Length", "x-ms-run-function-failed"}


@pytest.mark.parametrize("path", ["/", "/score", "/swagger.json"])
def test_a_too_long_id_is_431_on_every_path(bare: Server, path: str) -> None:
    answer = ask(bare, "GET", path, headers={"x-request-id": "x" * 101, "TraceId": "T"})
    assert (answer.status_code, answer.content) == (
        431,
        b'{"message": "x-request-id must not exceed 100 characters"}',
    )
    assert "x-request-id" not in answer.headers
    assert answer.headers["TraceId"] == "T"


def test_the_bare_servers_errors_are_500_with_ids(bare: Server) -> None:
    answer = bare.score("raise")
    assert answer.status_code == 500
    assert answer.headers["x-ms-run-function-failed"] == "True"
    assert names(answer) >= IDS


@pytest.mark.parametrize(
    ("request_bytes", "status", "message"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400", b"headers are not proper HTTP"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400", b"headers are not proper HTTP"),
        (
            b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"400",
            b"headers are not proper HTTP",
        ),
        (b"a-secret\r\n\r\n", b"400", b"first line is not HTTP"),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"400", b"version of HTTP is not 1.0 or 1.1"),
        (b"g@t / HTTP/1.1\r\nHost: x\r\n\r\n", b"400", b"method is not HTTP's"),
        (
            b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"414",
            b"first line, with path and query",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"x" * 9000 + b"\r\n\r\n", b"431", b"headers are too large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"431", b"headers are too large"),
        (b"POST /score HTTP/1.1\r\nHost: x\r\nExpect: a-secret\r\n\r\n", b"417", b"100-continue"),
        (b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: a-secret\r\n\r\n", b"400", b"is chunked"),
    ],
    ids=range(11),
)
def test_bad_http_gets_a_json_message_that_does_not_quote_it(
    bare: Server, request_bytes: bytes, status: bytes, message: bytes
) -> None:
    answer = raw(bare, request_bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status + b" ")
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert f"\r\nContent-Length: {len(body)}\r\n".encode() in head
    assert head.endswith(b"\r\nConnection: close")
    assert body.startswith(b'{"message": "')
    assert message in body
    assert b"a-secret" not in answer
    assert "a-secret" not in bare.log


def test_a_broken_body_that_nobody_reads_gets_no_second_answer(bare: Server) -> None:
    head = b"PUT /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(bare, head + b"no chunk\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.count(b"HTTP/1.1") == 1
    # The next request on a thread that has answered one is answered all the same.
    assert raw(bare, b"no HTTP\r\n\r\n").startswith(b"HTTP/1.1 400 ")
