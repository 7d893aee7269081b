"""What a web page of another origin may send and read, from real servers (each header: test_http_cors.py)."""

from pathlib import Path

import pytest
import requests
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

ORIGIN = "https://page.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}
KEY = {"Authorization": "Bearer first"}
# Takes every method, and tells what it sets itself.
SCRIPT = """
from azureml.contrib.services.aml_request import rawhttp
from azureml.contrib.services.aml_response import AMLResponse

def init(): pass

@rawhttp
def run(request):
    print("run was called")
    body = request.get_data(as_text=True)
    if body == "raise":
        raise ValueError
    if body == "own":
        return AMLResponse("x", 200, {"Access-Control-Allow-Origin": "https://own.example"})
    return body
"""


@pytest.fixture(scope="module")
def bare(start_module_server: StartServer) -> Server:
    server = start_module_server(AML_CORS_ORIGINS=ORIGIN)
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def keyed(start_module_server: StartServer, keys: Path) -> Server:
    server = start_module_server(
        SCRIPT,
        AML_CORS_ORIGINS=ORIGIN,
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_KEYS_DIR=str(keys),
        GPU_INFERENCE_MAX_BODY_BYTES="10",
    )
    server.wait_ready()
    return server


def ask(server: Server, method: str, path: str, body: str = "", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, server.url(path), data=body, headers=named, timeout=PATIENCE_SECONDS)


def of_cors(answer: requests.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def test_without_the_setting_there_are_no_such_headers(start_server: StartServer) -> None:
    server = start_server()
    server.wait_ready()
    for answer in (
        ask(server, "POST", "/score", "x", Origin=ORIGIN),
        ask(server, "OPTIONS", "/score", **PREFLIGHT),
    ):
        assert answer.status_code == 200
        assert of_cors(answer) == {}


@pytest.mark.parametrize("server", ["bare", "keyed"])
@pytest.mark.parametrize("path", ["/score", "/api/v1/service/mnist/score", "/", "/swagger.json"])
def test_a_preflight_is_answered_in_both_modes_on_all_routes(
    server: str, path: str, request: pytest.FixtureRequest
) -> None:
    answer = ask(request.getfixturevalue(server), "OPTIONS", path, **PREFLIGHT)
    assert (answer.status_code, answer.content) == (200, b"")
    assert of_cors(answer) == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "authorization, content-type",
    }


def test_a_preflight_needs_no_key_and_does_not_call_run(keyed: Server) -> None:
    before = keyed.log.count("run was called")
    for key in ({}, KEY):
        answer = ask(keyed, "OPTIONS", "/score", **PREFLIGHT, **key)
        assert (answer.status_code, answer.content) == (200, b"")
    # Which does get what is no preflight.
    assert ask(keyed, "OPTIONS", "/score", "x", Origin=ORIGIN, **KEY).text == '"x"'
    keyed.wait_until(lambda: keyed.log.count("run was called") == before + 1, "one call of run()")


def test_an_origin_that_is_not_named_is_not_let_in(bare: Server) -> None:
    answer = ask(bare, "POST", "/score", "x", Origin="https://evil.example")
    assert answer.status_code == 200
    assert of_cors(answer) == {}


@pytest.mark.parametrize(
    ("status", "method", "path", "body", "more"),
    [
        (200, "POST", "/score", "x", KEY),
        (200, "GET", "/docs", "", {}),
        (401, "POST", "/score", "x", {}),
        (401, "GET", "/swagger.json", "", {}),
        (401, "GET", "/docs/samples", "", {}),
        (404, "GET", "/absent", "", {}),
        (404, "GET", "/docs/absent", "", {}),
        (404, "GET", "/swagger.json?version=9", "", KEY),
        (405, "PUT", "/score", "x", {}),
        (413, "POST", "/score", "x" * 20, KEY),
        (431, "POST", "/score", "x", {"x-request-id": "x" * 101}),
        (502, "POST", "/score", "raise", KEY),
    ],
)
def test_a_page_can_read_why_it_was_refused(
    keyed: Server, status: int, method: str, path: str, body: str, more: dict[str, str]
) -> None:
    answer = ask(keyed, method, path, body, Origin=ORIGIN, **more)
    assert answer.status_code == status
    # Two of them would be joined.
    assert of_cors(answer) == {"Access-Control-Allow-Origin": ORIGIN}


def test_a_header_of_the_scripts_own_is_left_alone(keyed: Server) -> None:
    answer = ask(keyed, "POST", "/score", "own", Origin=ORIGIN, **KEY)
    assert of_cors(answer) == {"Access-Control-Allow-Origin": "https://own.example"}


def test_a_page_can_read_that_there_is_no_replica_yet(start_server: StartServer) -> None:
    server = start_server(
        "import time\ndef init(): time.sleep(600)\ndef run(data): return data",
        AML_CORS_ORIGINS="*",
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_MAX_QUEUE_WAIT_MS="50",
    )
    server.wait_until(lambda: ask(server, "GET", "/").status_code == 503, "an answer")
    for path in ("/score", "/swagger.json", "/"):
        answer = ask(server, "GET", path, Origin=ORIGIN)
        assert answer.status_code == 503
        assert of_cors(answer) == {"Access-Control-Allow-Origin": ORIGIN}
        assert answer.headers["Vary"] == "Origin"


def test_several_origins_may_be_named(start_server: StartServer) -> None:
    server = start_server(AML_CORS_ORIGINS=f"https://a.example, {ORIGIN}")
    server.wait_ready()
    for origin in (ORIGIN, "https://a.example"):
        answer = ask(server, "POST", "/score", "x", Origin=origin)
        assert of_cors(answer) == {"Access-Control-Allow-Origin": origin}
        assert answer.headers["Vary"] == "Origin"
