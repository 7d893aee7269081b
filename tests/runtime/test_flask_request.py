"""Flask's request, built from what crossed over: as gunicorn gave it, and found by its own call alone."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser
from tests.old_environment import old_python

from gpu_inference.paths import cache_directory
from gpu_inference.progress import Progress
from gpu_inference_script import flask_request
from gpu_inference_script.flask_request import current, environ, finish, native
from gpu_inference_script.flask_responses import from_flask
from gpu_inference_script.request import Request
from gpu_inference_script.response import RUN_FAILED, Response

CLIENT, SERVER = ("192.0.2.7", 4242), ("0.0.0.0", 5001)


def request_of(head: str, body: bytes = b"", client: tuple[str, int] = CLIENT) -> Request:
    line, *lines = head.split("\r\n")
    method, target, version = line.split(" ")
    pairs = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
    # As it crosses: memory that others use too.
    return Request(method, target, version, pairs, memoryview(bytearray(body)), client, SERVER)


def gunicorns(head: str, body: bytes, client: tuple[str, int]) -> dict[str, Any]:
    config = Config()
    parsed = next(RequestParser(config, iter([head.encode("latin-1") + b"\r\n\r\n" + body]), client))

    class Socket:
        def send(self, _: bytes) -> None:
            """Take what goes to the client, such as `100 Continue`."""

    _, made = wsgi.create(parsed, Socket(), client, SERVER, config)
    made["wsgi.input"] = made["wsgi.input"].read()
    return made  # type: ignore[no-any-return]


# The server's own objects, which mean nothing in the script's process.
NOT_COMPARED = {"wsgi.errors", "wsgi.file_wrapper", "wsgi.early_hints", "gunicorn.socket", "wsgi.multithread"}
HEADS = [
    "GET / HTTP/1.1",
    "GET /score?a=1&b=%20+&c HTTP/1.0\r\nHost: h:1",
    "GET //score//x?y?z#f HTTP/1.1\r\nHost: h",
    "GET /a%2Fb/%C3%A4/%ff/%00;p=1 HTTP/1.1\r\nHost: h",
    "GET http://elsewhere:8/score?q=1 HTTP/1.1\r\nHost: h",
    "OPTIONS * HTTP/1.1\r\nHost: h",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8",
    "POST /score HTTP/1.1\r\nhOsT: h\r\ncontent-LENGTH: 4\r\nx-Odd!#$%&'*+.^`|~: 1\r\nX-Empty:",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A:",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX_A: dropped\r\nX-A: kept\r\nX_B: dropped",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-Continue\r\nCookie: a\r\nCookie: b",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Latin: \xe4\xff\r\nX-Tabs:\t a\tb \t",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Forwarded-Proto: https\r\nContent-Type:",
    "POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-For: 1.2.3.4",
]


@pytest.mark.parametrize("client", [CLIENT, ("127.0.0.1", 1), ("::1", 2)], ids=["far", "near", "nearer"])
def test_the_environment_is_the_one_that_gunicorn_made(client: tuple[str, int]) -> None:
    for head in HEADS:
        body = b"body" if "Length: 4" in head else b""
        wanted = gunicorns(head, body, client)
        made = environ(request_of(head, body, client))
        made["wsgi.input"] = made["wsgi.input"].read()
        assert wanted.pop("SERVER_SOFTWARE").startswith(made.pop("SERVER_SOFTWARE") + "/")
        names = wanted.keys() - NOT_COMPARED - {"HTTP_CONTENT_TYPE"}
        # An empty one is none, to Flask either way.
        if wanted.get("CONTENT_TYPE") == "":
            names -= {"CONTENT_TYPE"}
        assert {name: made.get(name) for name in names} == {name: wanted[name] for name in names}, head
        assert made.keys() - wanted.keys() == set(), head


def test_headers_are_the_same_with_and_without_flask() -> None:
    for head in HEADS:
        request = request_of(head)
        with current(request):
            shown = {name.lower(): value for name, value in flask.request.headers}
        assert list(shown.items()) == list(request.headers_by_name.items()), head


def test_all_of_the_request_is_there() -> None:
    head = (
        "POST /api/v1/service/mnist/score?a=1&a=2 HTTP/1.1\r\nHost: h:81\r\nContent-Length: 185\r\n"
        "Content-Type: multipart/form-data; boundary=x"
    )
    body = (
        b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\nv\r\n'
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="t.bin"\r\n\r\n\x00\xff\r\n--x--\r\n'
    )
    request = request_of(head, body)
    with current(request):
        given: Any = native(request)
        assert isinstance(given, flask.Request)
        assert given.args.getlist("a") == ["1", "2"]
        assert (given.form.to_dict(), given.files["f"].read()) == ({"n": "v"}, b"\x00\xff")
        assert given.full_path == "/api/v1/service/mnist/score?a=1&a=2"
        assert given.url == "http://h:81/api/v1/service/mnist/score?a=1&a=2"
        assert (given.remote_addr, given.view_args) == ("192.0.2.7", {"name": "mnist"})
    with current(request):
        assert flask.request.get_data() == body


def test_a_field_of_any_size_is_taken() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n' + b"v" * 2_000_000 + b"\r\n--x--\r\n"
    head = f"POST /score HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
    with current(request_of(head + "Content-Type: multipart/form-data; boundary=x", body)):
        assert len(flask.request.form["n"]) == 2_000_000


def nothing_is_current() -> bool:
    return not flask.has_request_context() and not flask.has_app_context()


def test_outside_of_a_call_there_is_no_current_request() -> None:
    with current(request_of("GET /score HTTP/1.1")):
        flask.g.left = 1
        flask.current_app.app_context().push()
        flask.current_app.test_request_context().push()
    assert nothing_is_current()
    with current(request_of("GET /score?again HTTP/1.1")):
        assert flask.request.query_string == b"again"
        assert not hasattr(flask.g, "left")
    assert nothing_is_current()


def test_each_thread_finds_its_own() -> None:
    meeting = threading.Barrier(2, timeout=60)
    found: dict[str, str] = {}

    def call(name: str) -> None:
        with current(request_of(f"GET /score?{name} HTTP/1.1")):
            meeting.wait()
            flask.after_this_request(lambda response: _with_header(response, name))
            meeting.wait()
            found[flask.request.query_string.decode()] = dict(finish(Response(200, b"")).headers)["X-Name"]

    threads = [threading.Thread(target=call, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {"a": "a", "b": "b"}


def _with_header(response: flask.Response, name: str) -> flask.Response:
    response.headers["X-Name"] = name
    return response


# After the call


def test_an_answer_that_nobody_changes_stays_the_very_same() -> None:
    answer = Response(200, b"7")
    with current(request_of("GET /score HTTP/1.1")):
        assert finish(answer) is answer
    assert finish(answer) is answer


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, b"7", (("x-a", "1"), ("x-a", "2"))),
        Response(299, b"", (), "text/html", reason="Mine"),
        Response(204, b"", (("Content-Type", "a/b"), ("Content-Type", "c/d")), None),
        Response(200, b"x", (), None),
    ],
)
def test_after_request_functions_change_only_what_they_want(answer: Response) -> None:
    def change(response: flask.Response) -> flask.Response:
        response.set_cookie("id", "7")
        return response

    with current(request_of("GET /score HTTP/1.1")):
        flask.after_this_request(change)
        changed = finish(answer)
    reason = answer.reason or {200: "OK", 204: "NO CONTENT"}[answer.status]
    headers = (*answer.headers, ("Set-Cookie", "id=7; Path=/"))
    assert changed == answer.replace(headers=headers, reason=reason)


def test_they_may_return_another_response() -> None:
    with current(request_of("GET /score HTTP/1.1")):
        flask.after_this_request(lambda _: flask.Response("another", 201))
        answer = finish(Response(200, b"7"))
    assert (answer.status, answer.body, answer.content_type) == (201, b"another", "text/html; charset=utf-8")


@pytest.mark.parametrize(("front_end", "status"), [("none", 500), ("azureml", 502)])
def test_one_that_fails_or_makes_what_cannot_be_sent_fails_the_call(
    front_end: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> Any:
        raise SystemExit("a secret of the script")

    for function in (fail, lambda _: flask.Response("x", headers={"X-A": "\x01"})):
        with current(request_of("GET /score HTTP/1.1")):
            flask.after_this_request(function)
            answer = finish(Response(200, b"7"), front_end)
        assert (answer.status, dict(answer.headers)) == (status, {RUN_FAILED: "True"})
        assert b"secret" not in bytes(answer.body)  # type: ignore[arg-type]
    assert caplog.text.count("flask.after_this_request has failed") == 2


# Streams


def streamed(name: str, parts: "Iterator[str]") -> Response:
    """The answer of a call that streams."""
    with current(request_of(f"GET /score?{name} HTTP/1.1")):
        answer = finish(from_flask(flask.Response(parts), "none"))
        assert not isinstance(answer.body, bytes)
        return answer


def names() -> Iterator[str]:
    for number in range(3):
        yield f"{flask.request.query_string.decode()}{number}"


@pytest.mark.parametrize("with_context", [True, False])
def test_each_stream_finds_its_own_request(
    with_context: bool,
) -> None:
    answers = []
    for name in "ab":
        with current(request_of(f"GET /score?{name} HTTP/1.1")):
            parts = flask.stream_with_context(names()) if with_context else names()
            answers.append(finish(from_flask(flask.Response(parts), "none")))
        assert nothing_is_current()
    bodies: list[Any] = [answer.body for answer in answers]
    made = []
    for _ in range(3):
        for body in bodies:
            made.append(next(body))
            assert nothing_is_current()
        with current(request_of("GET /score?other HTTP/1.1")):
            assert flask.request.query_string == b"other"
    assert made == [b"a0", b"b0", b"a1", b"b1", b"a2", b"b2"]
    for body in bodies:
        assert next(body, None) is None
        body.close()
    assert nothing_is_current()


def test_a_stream_that_is_closed_early_cleans_up_within_its_request() -> None:
    cleaned = []

    def parts() -> Iterator[str]:
        try:
            yield from names()
        finally:
            cleaned.append(flask.request.query_string)

    with current(request_of("GET /score?a HTTP/1.1")):
        answer = finish(from_flask(flask.Response(flask.stream_with_context(parts())), "none"))
        body: Any = answer.body
        assert next(body) == b"a0"
    body.close()
    body.close()
    assert cleaned == [b"a"]
    assert nothing_is_current()


def test_a_stream_whose_part_fails_leaves_nothing_current() -> None:
    def parts() -> Iterator[str]:
        yield "a"
        raise KeyError

    with current(request_of("GET /score HTTP/1.1")):
        body: Any = finish(from_flask(flask.Response(flask.stream_with_context(parts())), "none")).body
    assert next(body) == b"a"
    with pytest.raises(KeyError):
        next(body)
    assert nothing_is_current()
    body.close()


def test_functions_for_after_the_request_see_a_streamed_answer_too() -> None:
    with current(request_of("GET /score HTTP/1.1")):
        flask.after_this_request(lambda response: _with_header(response, "n"))
        answer = finish(from_flask(flask.Response(iter("ab")), "none"))
    assert ("X-Name", "n") in answer.headers
    assert list(answer.body) == [b"a", b"b"]


# Flask as the script has it

IMPORTED_IN_THE_CALL = """
import json, sys
from gpu_inference_script import flask_request
from gpu_inference_script.response import Response
from gpu_inference_script.request import Request

flask_request.notice_imports()
flask_request.notice_imports()
seen = []
def run():
    from flask import after_this_request, request
    after_this_request(lambda response: seen.append("after") or response)
    seen.append(request.args["page"])
for page in ("7", "8"):
    assert page == "8" or "flask" not in sys.modules
    with flask_request.current(Request("GET", "/score?page=" + page)):
        run()
        flask_request.finish(Response(200, b""))
import flask
seen.append(flask.has_request_context())
# As if it had been imported in any other way.
seen.append(type(flask.__spec__.loader).__name__)
seen.append(flask.__loader__ is flask.__spec__.loader)
sys.stderr.write(json.dumps(seen))
"""
PACKAGE = Path(flask_request.__file__).parents[1]


def run_with(python: str | Path, code: str) -> Any:
    prefix = f"import sys; sys.path.append({str(PACKAGE)!r})\n"
    done = subprocess.run([python, "-c", prefix + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr)


def test_flask_may_be_imported_in_the_middle_of_a_call() -> None:
    expected = ["7", "after", "8", "after", False, "SourceFileLoader", True]
    assert run_with(sys.executable, IMPORTED_IN_THE_CALL) == expected


def test_flask_may_be_imported_in_a_coroutine() -> None:
    code = """
import asyncio, json, sys
from gpu_inference_script import flask_request
from gpu_inference_script.request import Request
flask_request.notice_imports()
seen = []
async def run():
    from flask import request
    seen.append(request.args["page"])
for page in ("7", "8"):
    with flask_request.current(Request("GET", "/score?page=" + page)):
        asyncio.run(run())
import flask
seen.append(flask.has_request_context())
sys.stderr.write(json.dumps(seen))
"""
    assert run_with(sys.executable, code) == ["7", "8", False]


def test_a_module_that_only_has_flasks_name_costs_no_call() -> None:
    code = """
import json, logging, sys, types
from gpu_inference_script import flask_request
from gpu_inference_script.response import Response
from gpu_inference_script.request import Request
logging.disable(logging.CRITICAL)
sys.modules["flask"] = types.ModuleType("flask")
with flask_request.current(Request("GET", "/score")):
    answer = flask_request.finish(Response(200, b"7"))
sys.stderr.write(json.dumps(answer.status))
"""
    assert run_with(sys.executable, code) == 200


STREAMS = """
import json, sys
import flask
from gpu_inference_script.flask_request import current, finish, notice_imports
from gpu_inference_script.flask_responses import from_flask
from gpu_inference_script.request import Request
from gpu_inference_script.response import RUN_FAILED, Response
def names():
    for number in range(2):
        yield flask.request.args["name"] + str(number)
bodies = []
for name in "ab":
    with current(Request("GET", "/score?name=" + name)):
        stream = flask.stream_with_context(names())
        flask.after_this_request(lambda response: response)
        bodies.append(finish(from_flask(flask.Response(stream), "none")).body)
    assert not flask.has_request_context() and not flask.has_app_context()
made = []
for _ in range(3):
    for body in bodies:
        made.append((next(body, None) or b"").decode())
        assert not flask.has_request_context() and not flask.has_app_context()
for body in bodies:
    body.close()
with current(Request("GET", "/score?name=c")):
    made.append(flask.request.args["name"])
assert not flask.has_request_context()
sys.stderr.write(json.dumps([flask.__version__.split(".")[0], made]))
"""


def test_all_that_holds_with_flask_1_too() -> None:
    python = old_python(cache_directory(), Progress())
    expected = ["1", ["a0", "b0", "a1", "b1", "", "", "c"]]
    assert run_with(python, STREAMS) == expected
    assert run_with(python, IMPORTED_IN_THE_CALL) == [
        "7",
        "after",
        "8",
        "after",
        False,
        "SourceFileLoader",
        True,
    ]
