"""Requests to a service are sent, repeated and refused as the SDK did it; over HTTP, to a real server."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.serving import serving

from gpu_inference.errors import GpuInferenceError
from gpu_inference.service.client import ScoringClient


class Server:
    """Answers each request with the next of the given answers (status, body), the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, str]] = [(200, '{"ok": true}')]
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers.items()), body))
                status, text = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.http.server_port}/api/v1/service/abc/score"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with serving(server.http):
        yield server


def test_the_body_goes_out_as_it_is_with_v1s_headers(server: Server) -> None:
    answer = ScoringClient(server.uri, lambda: "a-key").run('{"data": "é"}')
    [(path, headers, body)] = server.requests
    assert answer == {"ok": True}
    assert path == "/api/v1/service/abc/score"
    assert body == '{"data": "é"}'.encode()
    assert headers["Authorization"] == "Bearer a-key"
    assert headers["Content-Type"] == headers["Accept"] == "application/json"


def test_bytes_go_out_as_they_are(server: Server) -> None:
    ScoringClient(server.uri, lambda: "a-key").run(b"\xff\xd8 a JPEG")
    assert server.requests[0][2] == b"\xff\xd8 a JPEG"


def test_a_service_without_keys_gets_none(server: Server) -> None:
    ScoringClient(server.uri, lambda: None).run("{}")
    assert "Authorization" not in server.requests[0][1]


def test_the_users_netrc_does_not_replace_the_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    ScoringClient(server.uri, lambda: "a-key").run("{}")
    assert server.requests[0][1]["Authorization"] == "Bearer a-key"


def test_after_a_401_the_key_is_fetched_again_and_the_request_sent_once_more(server: Server) -> None:
    server.answers = [(401, ""), (200, "[7]")]
    keys = iter(["revoked", "new"])
    assert ScoringClient(server.uri, lambda: next(keys)).run("{}") == [7]
    assert [headers["Authorization"] for _, headers, _ in server.requests] == ["Bearer revoked", "Bearer new"]


def test_a_second_401_is_the_answer(server: Server) -> None:
    server.answers = [(401, "Unauthorized")]
    with pytest.raises(GpuInferenceError, match="Response Code: 401\n"):
        ScoringClient(server.uri, lambda: "wrong").run("{}")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "delays"),
    [
        (408, [0, 1, 2]),
        (429, [32, 64, 128]),
        (500, [2, 4, 8]),
        (502, [0, 1, 2]),
        (504, [0, 1, 2]),
        (530, [0, 1, 2]),
    ],
)
def test_what_may_pass_is_tried_three_times_more_with_the_sdks_delays(
    server: Server, status: int, delays: list[float]
) -> None:
    server.answers = [(status, "busy")]
    slept: list[float] = []
    with pytest.raises(GpuInferenceError, match=f"Response Code: {status}\n"):
        ScoringClient(server.uri, lambda: "a-key", slept.append).run("{}")
    assert slept == delays
    assert len(server.requests) == 4


def test_an_overloaded_service_is_asked_again_after_a_random_time_that_doubles(server: Server) -> None:
    server.answers = [(503, "busy")]
    slept: list[float] = []
    with pytest.raises(GpuInferenceError, match="Response Code: 503\n"):
        ScoringClient(server.uri, lambda: "a-key", slept.append).run("{}")
    first = slept[0]
    assert 2 <= first <= 10
    assert slept == [first, 2 * first, 4 * first]


def test_a_later_success_is_the_answer(server: Server) -> None:
    server.answers = [(502, ""), (502, ""), (200, "1")]
    assert ScoringClient(server.uri, lambda: "a-key", lambda _: None).run("{}") == 1


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 431])
def test_the_clients_own_mistakes_are_not_repeated(server: Server, status: int) -> None:
    server.answers = [(status, '{"message": "no"}')]
    with pytest.raises(GpuInferenceError) as caught:
        ScoringClient(server.uri, lambda: "a-key").run("{}")
    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "Received bad response from service. More information can be found by calling `.get_logs()` on the "
        "webservice object."
    )
    assert lines[1] == f"Response Code: {status}"
    assert lines[2].startswith("Headers: {")
    assert lines[3] == 'Content: b\'{"message": "no"}\''
    assert len(server.requests) == 1


def test_an_answer_that_is_not_json_is_a_sentence(server: Server) -> None:
    server.answers = [(200, "plain text")]
    with pytest.raises(GpuInferenceError, match="is not JSON: 'plain text'"):
        ScoringClient(server.uri, lambda: "a-key").run("{}")


def test_a_service_that_cannot_be_reached_is_tried_four_times_and_named() -> None:
    slept: list[float] = []
    client = ScoringClient("http://127.0.0.1:1/score", lambda: "a-key", slept.append)
    with pytest.raises(GpuInferenceError, match=r"http://127\.0\.0\.1:1/score cannot be reached"):
        client.run("{}")
    assert slept == [0, 1, 2]


def test_the_key_is_in_no_error(server: Server) -> None:
    server.answers = [(400, "no")]
    with pytest.raises(GpuInferenceError) as caught:
        ScoringClient(server.uri, lambda: "the-secret-key").run("{}")
    assert "the-secret-key" not in str(caught.value)
