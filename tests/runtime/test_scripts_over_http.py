"""What run() receives and returns over real sockets: whole servers, one for each kind of script."""

import base64
from typing import Any

import pytest
import requests
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

RAW = """
import io, threading
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from flask import Response, abort, current_app, request as current, stream_with_context

def init(): pass

def show(request):
    return {
        "method": request.method,
        "path": request.full_path,
        "url": request.url,
        "body": request.get_data().decode("latin-1"),
        "args": request.args.to_dict(flat=False),
        "form": request.form.to_dict(flat=False),
        "files": {name: [file.filename, file.read().decode()] for name, file in request.files.items()},
        "json": request.get_json(silent=True),
        "header": request.headers.get("X-My-Header"),
    }

@rawhttp
def run(request: AMLRequest):
    what = request.args.get("answer", "show")
    if what == "show":
        return show(request)
    if what == "current":
        return show(current)
    if what == "thread":
        seen = []
        thread = threading.Thread(target=lambda: seen.append(show(current_request)))
        current_request = request._get_current_object()
        thread.start(); thread.join()
        return seen[0]
    if what == "nothing":
        return AMLResponse(None, 204)
    if what == "aml":
        return AMLResponse(b"\\x89PNG", 201, {"Content-Type": "image/png", "X-Twice": "1, 2"})
    if what == "cookie":
        response = Response("cookie", 200)
        response.set_cookie("a", "1"); response.set_cookie("b", "2")
        return response
    if what == "stream":
        parts = (part + request.args["more"] for part in "abc")
        return Response(stream_with_context(parts), mimetype="text/csv")
    if what == "500":
        return AMLResponse("out of order", 500)
    if what == "abort":
        abort(418)
    return current_app.name
"""

TEXT = """
import flask
def init(): pass
async def run(data, request_headers):
    if data == "flask":
        return flask.request.get_data().decode(), flask.request.path
    return data, request_headers
"""

SCHEMA = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema

def init(): pass

@input_schema("data", NumpyParameterType(np.zeros((1, 2))))
@input_schema("scale", StandardPythonParameterType(1.5))
@output_schema(NumpyParameterType(np.zeros((1, 2))))
def run(data, scale=1.0):
    if scale < 0:
        raise ValueError("a negative scale")
    return {"scaled": data * scale, "dtype": data.dtype.name}
"""


@pytest.fixture(scope="module")
def raw(start_module_server: StartServer) -> Server:
    server = start_module_server(RAW)
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def text(start_module_server: StartServer) -> Server:
    server = start_module_server(TEXT, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def schema(start_module_server: StartServer) -> Server:
    server = start_module_server(SCHEMA, GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    return server


def asked(server: Server, method: str, query: str = "", **arguments: Any) -> requests.Response:
    return requests.request(method, server.url("/score" + query), timeout=PATIENCE_SECONDS, **arguments)


# @rawhttp


def test_a_raw_script_sees_the_whole_request(raw: Server) -> None:
    query = "?a=1&a=2&b=%C3%BC"
    seen = asked(raw, "POST", query, json={"x": [1]}, headers={"X-My-Header": "mine"}).json()
    assert seen == {
        "method": "POST",
        "path": "/score" + query,
        "url": raw.url("/score?a=1&a=2&b=ü"),
        "body": '{"x": [1]}',
        "args": {"a": ["1", "2"], "b": ["ü"]},
        "form": {},
        "files": {},
        "json": {"x": [1]},
        "header": "mine",
    }


def test_a_raw_script_gets_bytes_as_they_came_also_in_chunks(raw: Server) -> None:
    body = bytes(range(256))
    for data in (body, iter([body[:100], body[100:]])):
        assert asked(raw, "POST", data=data).json()["body"].encode("latin-1") == body


def test_a_raw_script_gets_uploaded_files_and_form_fields(raw: Server) -> None:
    files = {"image": ("digit.png", b"\x00PNG", "image/png"), "other": ("o.txt", b"text")}
    seen = asked(raw, "POST", files=files, data={"label": ["7", "8"]}).json()
    assert seen["files"] == {"image": ["digit.png", "\x00PNG"], "other": ["o.txt", "text"]}
    assert seen["form"] == {"label": ["7", "8"]}
    assert asked(raw, "POST", data={"a": "1"}).json()["form"] == {"a": ["1"]}


@pytest.mark.parametrize("answer", ["current", "thread"])
def test_the_request_is_flasks_and_can_be_handed_to_a_thread(raw: Server, answer: str) -> None:
    seen = asked(raw, "POST", f"?answer={answer}", files={"f": ("n", b"text")}).json()
    assert seen["files"] == {"f": ["n", "text"]}


def test_each_call_sees_its_own_request(raw: Server) -> None:
    with requests.Session() as connection:
        for number in range(5):
            answer = connection.post(raw.url("/score"), data=f"body {number}", timeout=PATIENCE_SECONDS)
            assert answer.json()["body"] == f"body {number}"


def test_a_raw_script_is_called_for_get_head_and_options_too(raw: Server) -> None:
    assert asked(raw, "GET", "?answer=aml").content == b"\x89PNG"
    assert asked(raw, "OPTIONS").json()["method"] == "OPTIONS"
    head = asked(raw, "HEAD", "?answer=aml")
    assert (head.status_code, head.content, head.headers["Content-Type"]) == (201, b"", "image/png")


def test_a_raw_script_chooses_status_headers_and_body(raw: Server) -> None:
    answer = asked(raw, "POST", "?answer=aml")
    assert (answer.status_code, answer.content) == (201, b"\x89PNG")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.raw.headers.getlist("X-Twice") == ["1", "2"]
    assert answer.headers["x-ms-run-function-failed"] == "False"
    assert float(answer.headers["x-ms-run-fn-exec-ms"]) >= 0
    assert answer.headers["x-request-id"]
    empty = asked(raw, "POST", "?answer=nothing")
    assert (empty.status_code, empty.content) == (204, b"")


def test_repeated_headers_of_a_flask_response_arrive_both(raw: Server) -> None:
    answer = asked(raw, "POST", "?answer=cookie")
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]
    assert "x-ms-run-function-failed" not in answer.headers


def test_a_streamed_response_arrives_whole_and_knows_its_request(raw: Server) -> None:
    answer = asked(raw, "POST", "?answer=stream&more=,")
    assert (answer.text, answer.headers["Content-Type"]) == ("a,b,c,", "text/csv; charset=utf-8")


def test_a_response_of_500_is_a_failed_run_and_abort_an_error(raw: Server) -> None:
    answer = asked(raw, "POST", "?answer=500")
    assert (answer.status_code, answer.text) == (500, "out of order")
    assert answer.headers["x-ms-run-function-failed"] == "True"
    aborted = asked(raw, "POST", "?answer=abort")
    assert aborted.status_code == 500
    assert aborted.json()["message"].startswith("An unexpected error occurred in scoring script.")


# Text, asynchronous, with headers


def test_an_asynchronous_script_gets_headers_in_title_case(text: Server) -> None:
    data, headers = text.score(
        "größe".encode(), **{"x-my-header": "mine", "content-type": "text/plain"}
    ).json()
    assert data == "größe"
    assert headers["X-My-Header"] == "mine"
    assert headers["Content-Type"] == "text/plain"
    assert headers["Content-Length"] == str(len("größe".encode()))


def test_flasks_current_request_is_there_for_every_script(text: Server) -> None:
    assert text.score("flask").json() == ["flask", "/score"]


def test_of_a_form_the_script_gets_an_empty_string(text: Server) -> None:
    assert asked(text, "POST", data={"a": "1"}).json()[0] == ""
    assert asked(text, "POST", files={"f": ("n", b"text")}).json()[0] == ""


def test_a_get_gives_the_query_as_json(text: Server) -> None:
    assert asked(text, "GET", "?a=1&b=x").json()[0] == '{"a": 1, "b": "x"}'


# A schema


def test_a_schema_script_gets_an_array_and_may_return_one(schema: Server) -> None:
    answer = asked(schema, "POST", json={"data": [[1, 2], [3, 4]], "scale": 2, "extra": None})
    assert answer.json() == {"scaled": [[2.0, 4.0], [6.0, 8.0]], "dtype": "float64"}
    assert asked(schema, "GET", "?data=[[1,2]]").json()["scaled"] == [[1.0, 2.0]]


def test_behind_the_front_end_a_mismatch_is_the_clients_fault(schema: Server) -> None:
    answer = asked(schema, "POST", json={"data": [[1, 2, 3]]})
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "The value of the 'data' parameter does not match the schema: "
        "Invalid input array: array has size 3 on dimension #1, while expected value is 2"
    )
    assert asked(schema, "POST", json={}).json() == {
        "message": "A value is not provided for the 'data' parameter."
    }
    assert (
        asked(
            schema, "POST", data=b'{"data": "\xff"}', headers={"Content-Type": "application/json"}
        ).status_code
        == 400
    )
    assert asked(schema, "POST", data="{}").status_code == 415


def test_an_error_of_the_script_is_502_behind_the_front_end(schema: Server) -> None:
    assert asked(schema, "POST", json={"data": [[1, 2]], "scale": -1}).status_code == 502


@pytest.mark.parametrize(("front_end", "status"), [("azureml", 400), ("none", 500)])
def test_behind_the_front_end_numpy_scalars_are_explained(
    start_server: StartServer, front_end: str, status: int
) -> None:
    script = "import json\ndef init(): pass\ndef run(data): return json.loads(data)['data']\n"
    server = start_server(script, GPU_INFERENCE_FRONT_END=front_end)
    server.wait_ready()
    secret = base64.b64encode(b"secret").decode()
    answer = server.score(f'{{"data": [[np.float64(0.5)]], "{secret}": 0}}')
    assert answer.status_code == status
    assert ("tolist" in answer.json()["message"]) == (front_end == "azureml")
    assert server.score("{").status_code == (502 if front_end == "azureml" else 500)
    assert secret not in server.log
