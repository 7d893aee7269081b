"""What a web page of another origin may send and read."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.runtime.bench import SETTINGS, Bench
from tests.runtime.server_process import PATIENCE_SECONDS, StartServer

from gpu_inference_runtime.script.inputs import RawInputs

ORIGIN = "https://page.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "primaryKey").write_text("key")
    return tmp_path


def test_without_the_setting_there_are_no_such_headers() -> None:
    client = Bench(replace(SETTINGS, cors_origins=())).client
    for answer in (
        client.post("/score", data=b"x", headers={"Origin": ORIGIN}),
        client.options("/score", headers=PREFLIGHT),
    ):
        assert answer.status_code == 200
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("front_end", ["none", "azureml"])
@pytest.mark.parametrize("path", ["/score", "/api/v1/service/mnist/score", "/", "/swagger.json"])
def test_a_preflight_is_answered_in_both_modes_on_all_routes(front_end: Any, path: str) -> None:
    client = Bench(replace(SETTINGS, front_end=front_end, cors_origins=(ORIGIN,))).client
    answer = client.options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"


def test_a_preflight_needs_no_key_and_does_not_call_run(keys: Path) -> None:
    def run(_: object) -> None:
        pytest.fail("run() was called")

    for settings in (
        replace(SETTINGS, cors_origins=(ORIGIN,), keys_directory=keys),
        replace(SETTINGS, cors_origins=(ORIGIN,)),
    ):
        answer = Bench(settings, run, RawInputs("text")).client.options("/score", headers=PREFLIGHT)
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_an_origin_that_is_not_named_is_not_let_in() -> None:
    client = Bench(replace(SETTINGS, cors_origins=(ORIGIN, "https://other.example"))).client
    answer = client.post("/score", data=b"x", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_star_lets_every_origin_in() -> None:
    client = Bench(replace(SETTINGS, cors_origins=("*",))).client
    answer = client.post("/score", data=b"x", headers={"Origin": "https://any.example"})
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://any.example")


@pytest.mark.parametrize(
    ("status", "method", "path", "more"),
    [
        (401, "POST", "/score", {}),
        (401, "GET", "/swagger.json", {}),
        (404, "GET", "/absent", {}),
        (404, "GET", "/swagger.json?version=9", {"Authorization": "Bearer key"}),
        (405, "PUT", "/score", {}),
        (413, "POST", "/score", {"Authorization": "Bearer key", "x-size": "20"}),
        (431, "POST", "/score", {"x-request-id": "x" * 101}),
        (502, "POST", "/score", {"Authorization": "Bearer key"}),
    ],
)
def test_a_page_can_read_why_it_was_refused(
    keys: Path, status: int, method: str, path: str, more: dict[str, str]
) -> None:
    def run(_: str) -> None:
        raise ValueError

    settings = replace(SETTINGS, cors_origins=(ORIGIN,), keys_directory=keys, max_body_bytes=10)
    body = b"x" * int(more.get("x-size", 1))
    answer = Bench(settings, run).client.open(
        path, method=method, data=body, headers={"Origin": ORIGIN} | more
    )
    assert answer.status_code == status
    assert answer.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]


def test_a_page_can_read_that_there_is_no_replica_yet() -> None:
    settings = replace(SETTINGS, cors_origins=(ORIGIN,))
    for path in ("/score", "/swagger.json", "/"):
        answer = Bench(settings, run=None).client.get(path, headers={"Origin": ORIGIN})
        assert answer.status_code == 503
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


def test_the_setting_reaches_a_running_server(start_server: StartServer) -> None:
    server = start_server(AML_CORS_ORIGINS=f"https://a.example, {ORIGIN}")
    server.wait_ready()
    answer = requests.options(server.url("/score"), headers=PREFLIGHT, timeout=PATIENCE_SECONDS)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert answer.headers["Vary"] == "Origin"
    assert server.score("x", Origin="https://a.example").headers["Access-Control-Allow-Origin"] == (
        "https://a.example"
    )
