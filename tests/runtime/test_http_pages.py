"""The pages at /docs as the front asks for them: the answers of the Flask application, made on any thread."""

import json
import threading
from pathlib import Path

import flask
import pytest
from tests.runtime.flask_reference import Reference

from gpu_inference_runtime.http import response_head
from gpu_inference_runtime.http.malformed import Parsed, classify
from gpu_inference_runtime.http.refusals import RefusedError, unauthorized
from gpu_inference_runtime.http.routing import Kind, Routes
from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.web.pages import Pages
from gpu_inference_script.response import Response

SERVICE = "/api/v1/service/mnist"
TARGETS = [
    *(
        "/docs",
        "/docs/",
        "/docs?a=b",
        "/docs/static/page.js",
        "/docs/static/none.js",
        "/docs/static/../samples.py",
    ),
    *(
        "/docs/static/%2e%2e/samples.py",
        "/docs/static//page.js",
        "/docs//static/page.js?a=b&c",
        "/docs//",
        "/docs/x",
    ),
    *(
        "/docs/swagger-ui/swagger-ui.css",
        "/docs/swagger-ui/LICENSE",
        "/docs/swagger-ui/none",
        "/docs/samples",
    ),
    *("/docs/samples/sample_request.json", "/docs/samples/none.json", "/docs/samples/../score.py"),
    *(SERVICE + "/docs", SERVICE + "/docs/", SERVICE + "/docs/samples", "/api/v1/service/other/docs"),
    *(
        SERVICE + "//score?x=1&y",
        SERVICE + "//swagger.json",
        "/api//v1/service/mnist/",
        "/api/v1//service/other/score",
    ),
    *("http://elsewhere/docs", "http://elsewhere//docs/", "//docs//"),
]
LINES = [
    (),
    ("Host: a..b",),
    ("Host: b.example:8080",),
    ("Host: a b",),
    ("Connection: upgrade", "Upgrade: websocket"),
]


def nobody_is_refused(_: object) -> None:
    return None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "sample_request.json").write_text('{"data": [1]}')
    return Settings(service_name="mnist", app_root=tmp_path)


def head_of(method: str, target: str, *lines: str) -> bytes:
    host = () if any(line.startswith("Host:") for line in lines) else ("Host: x",)
    return "\r\n".join([f"{method} {target} HTTP/1.1", *host, *lines, "", ""]).encode()


def ask(pages: Pages, head: bytes) -> Response:
    parsed = classify(head)
    assert isinstance(parsed, Parsed)
    return pages.answer(parsed.method, parsed.target, parsed.headers, ("192.0.2.1", 1))


def check(pages: Pages, reference: Reference, head: bytes) -> None:
    told = reference.tell(head)
    assert told is not None
    answer = ask(pages, head)
    types = [("content-type", answer.content_type)] if answer.content_type is not None else []
    # The date of a file's answer is the server's (test_http_heads.py).
    headers = [(name.lower(), value) for name, value in answer.headers if name != "Date"]
    assert f"{answer.status} {answer.reason}" == told.status
    assert sorted([*headers, *types]) == list(told.headers)
    assert answer.body == told.body or head.startswith(b"HEAD ")
    assert "content-length" not in dict(headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "PUT"])
def test_pages_are_answered_as_by_flask(settings: Settings, method: str) -> None:
    pages, reference, routes = Pages(settings, nobody_is_refused), Reference(settings), Routes(settings)
    for target in TARGETS:
        for lines in LINES:
            head = head_of(method, target, *lines)
            assert routes.resolve(target.encode()).kind is Kind.PAGES
            check(pages, reference, head)


def test_head_gets_what_get_gets(settings: Settings) -> None:
    pages = Pages(settings, nobody_is_refused)
    asked = [ask(pages, head_of(method, "/docs")) for method in ("GET", "HEAD")]
    assert asked[0] == asked[1]
    assert asked[0].body


def test_a_browser_that_has_a_file_already_is_told_so(settings: Settings) -> None:
    pages = Pages(settings, nobody_is_refused)
    first = ask(pages, head_of("GET", "/docs/static/page.js"))
    etag = dict(first.headers)["ETag"]
    again = ask(pages, head_of("GET", "/docs/static/page.js", f"If-None-Match: {etag}"))
    assert (again.status, again.body) == (304, b"")
    head = response_head.build(304, again.reason, again.headers, again.content_type, 0, True, b"")
    assert head.startswith(b"HTTP/1.1 304 NOT MODIFIED\r\n")
    assert b"Content-Length" not in head
    assert f"ETag: {etag}".encode() in head


@pytest.mark.parametrize("path", ["/docs/samples", "/docs/samples/sample_request.json", "/docs/samples/none"])
def test_what_the_pages_show_of_the_service_asks_for_the_key(settings: Settings, path: str) -> None:
    asked = []

    def refusal(headers: object) -> RefusedError:
        asked.append(headers)
        return unauthorized("key", "why not")

    pages = Pages(settings, refusal)
    answer = ask(pages, head_of("GET", path, "Authorization: Bearer wrong"))
    assert (answer.status, answer.body) == (401, b'{"message": "why not"}')
    assert ("WWW-Authenticate", "Bearer") in answer.headers
    assert answer.content_type == "application/json"
    assert asked == [{b"host": b"x", b"authorization": b"Bearer wrong"}]
    wrong = flask.Response('{"message": "why not"}', 401, {"WWW-Authenticate": "Bearer"}, "application/json")
    wrong.headers.set("x-ms-run-function-failed", "False")
    wrong.content_type = "application/json"
    check(pages, Reference(settings, wrong), head_of("GET", path))


@pytest.mark.parametrize("path", ["/docs", "/docs/static/page.js", "/docs/swagger-ui/LICENSE"])
def test_the_shell_of_the_page_is_open(settings: Settings, path: str) -> None:
    pages = Pages(settings, lambda _: unauthorized("key", "why not"))
    assert ask(pages, head_of("GET", path)).status == 200


def test_samples_are_listed_and_shown(settings: Settings) -> None:
    pages = Pages(settings, nobody_is_refused)
    listed, shown = (
        ask(pages, head_of("GET", "/docs/samples" + name)).body for name in ("", "/sample_request.json")
    )
    assert isinstance(listed, bytes)
    assert json.loads(listed) == {"samples": ["sample_request.json"]}
    assert shown == b'{"data": [1]}'


def test_without_pages_paths_with_two_slashes_still_redirect() -> None:
    bare = Settings(service_name="mnist", shows_docs=False)
    pages, reference = Pages(bare, nobody_is_refused), Reference(bare)
    for method in ("GET", "POST", "PUT"):
        check(pages, reference, head_of(method, SERVICE + "//score?x=1"))
    assert dict(ask(pages, head_of("POST", SERVICE + "//score?x=1")).headers)["Location"] == (
        f"http://x{SERVICE}/score?x=1"
    )
    assert ask(pages, head_of("GET", "/docs")).status == 404


def test_several_threads_may_ask_at_once(settings: Settings) -> None:
    pages = Pages(settings, nobody_is_refused)
    together = threading.Barrier(8)
    statuses = []

    def read() -> None:
        together.wait()
        statuses.append(ask(pages, head_of("GET", "/docs")).status)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8


def test_what_a_page_fails_on_is_answered_in_json(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_: object) -> RefusedError:
        raise ValueError("a-secret")

    answer = ask(Pages(settings, failing), head_of("GET", "/docs/samples"))
    assert (answer.status, answer.content_type) == (500, "application/json")
    assert isinstance(answer.body, bytes)
    assert b"a-secret" not in answer.body
    assert "ValueError: a-secret" in caplog.text
