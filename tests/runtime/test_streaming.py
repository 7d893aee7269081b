"""Answers that are sent while the script still makes them."""

import http.client
import json

import pytest
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

SCRIPT = """
import pathlib, threading, time
from flask import Response

def init(): pass

def wait_for(name):
    while not pathlib.Path(name).exists():
        time.sleep(0.01)

def parts(what):
    try:
        if what == "fails at first":
            raise RuntimeError("no first part")
        print("making", what)
        yield "first\\n"
        if what.startswith("waits for "):
            wait_for(what.removeprefix("waits for "))
        while what == "endless":
            yield "again\\n"
            time.sleep(0.01)
        if what == "hangs":
            time.sleep(1000)
        if what == "fails":
            raise RuntimeError("no more")
        yield str(threading.current_thread() is threading.main_thread())
    finally:
        print("closed", what, "on", threading.current_thread().name)

def run(what):
    if what == "plain":
        return what
    if what == "less than it says":
        return Response(iter(["ab"]), headers={"Content-Length": "5"})
    if what == "nothing":
        return Response(iter(()), mimetype="text/plain")
    return Response(parts(what), mimetype="text/plain")
"""


@pytest.fixture(scope="module")
def server(start_module_server: StartServer) -> Server:
    server = start_module_server(SCRIPT, SCORING_TIMEOUT_MS="3000", GPU_INFERENCE_FRONT_END="azureml")
    server.wait_ready()
    return server


def begin(server: Server, what: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/score", what, headers)
    return connection.getresponse()


def busy(server: Server) -> bool:
    return "gpu_inference_busy_slots 1.0" in server.management("/metrics").text


def test_a_stream_arrives_in_parts_and_holds_its_slot(
    server: Server,
) -> None:
    answer = begin(server, "waits for go1", **{"x-request-id": "streamed"})
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/plain; charset=utf-8")
    assert answer.getheader("Transfer-Encoding") == "chunked"
    assert answer.readline() == b"first\n"
    assert busy(server)
    assert server.score("plain").json() == {"message": "Too many requests for service mnist (overloaded)"}
    (server.folder / "go1").touch()
    assert answer.read() == b"True"
    server.wait_until(lambda: not busy(server), "the slot is free")
    server.wait_for_log("[streamed] closed waits for go1 on MainThread")
    assert "[streamed] making waits for go1" in server.log
    assert server.score("plain").json() == "plain"


def test_the_script_cleans_up_when_the_client_goes_away(server: Server) -> None:
    answer = begin(server, "endless")
    assert [answer.readline(), answer.readline()] == [b"first\n", b"again\n"]
    answer.close()
    server.wait_for_log("closed endless on MainThread")
    server.wait_until(lambda: not busy(server), "the slot is free")
    assert server.score("plain").json() == "plain"


def test_a_part_that_takes_too_long_breaks_the_connection_off(server: Server) -> None:
    answer = begin(server, "hangs")
    assert answer.readline() == b"first\n"
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    server.wait_for_log("closed hangs on MainThread")
    server.wait_ready()
    assert server.score("plain").json() == "plain"


def test_a_part_that_cannot_be_made_breaks_the_connection_off(server: Server) -> None:
    answer = begin(server, "fails")
    assert answer.readline() == b"first\n"
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    server.wait_for_log("closed fails on MainThread")
    assert "RuntimeError: no more" in server.log
    server.wait_until(lambda: not busy(server), "the slot is free")
    assert server.score("plain").json() == "plain"


def test_a_failure_before_the_first_part_is_an_ordinary_answer(server: Server) -> None:
    answer = begin(server, "fails at first")
    assert answer.status == 502
    message = json.loads(answer.read())["message"]
    assert message == "An unexpected error occurred in scoring script. Check the logs for more info."
    assert "RuntimeError: no first part" in server.log
    assert server.score("plain").json() == "plain"


def test_a_stream_of_nothing_is_an_empty_answer(server: Server) -> None:
    answer = begin(server, "nothing")
    assert (answer.status, answer.read()) == (200, b"")
    assert server.score("plain").json() == "plain"


def test_a_stream_shorter_than_its_length_ends_the_connection(server: Server) -> None:
    answer = begin(server, "less than it says")
    with pytest.raises(http.client.IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial == b"ab"
    server.wait_for_log("A response was shorter than its Content-Length: the connection is closed")
    assert server.score("plain").json() == "plain"
