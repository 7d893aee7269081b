"""Calls that overlap: each has its own request, and what `init()` has set holds in all of them."""

from concurrent.futures import ThreadPoolExecutor

from tests.runtime.server_process import StartServer

SETTINGS = {"GPU_INFERENCE_PARALLEL_RUNS": "3", "GPU_INFERENCE_MAX_CONCURRENT_REQUESTS": "3"}

STREAMING = """
import flask, threading, time
def init(): pass
def run(data):
    threads.add(threading.current_thread().name)
    if data == "threads":
        return sorted(threads)
    def parts():
        for number in range(4):
            time.sleep(0.02)
            yield flask.request.args["name"] + str(number) + " "
    return flask.Response(flask.stream_with_context(parts()))
threads = set()
"""


def test_a_stream_of_any_thread_finds_its_own_request_to_its_end(start_server: StartServer) -> None:
    server = start_server(STREAMING, **SETTINGS)
    server.wait_ready()
    names = [f"{number}-" for number in range(24)]
    with ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(lambda name: server.score("x", path=f"/score?name={name}").text, names))
    assert answers == [" ".join(f"{name}{number}" for number in range(4)) + " " for name in names]
    assert len(server.score("threads").json()) > 1
    assert "broke off" not in server.log


OF_INIT = """
import contextvars, decimal, threading
variable = contextvars.ContextVar("variable", default="none")
meeting = threading.Barrier(3)
def init():
    variable.set("of init")
    decimal.getcontext().prec = 7
def run(data):
    meeting.wait(60)
    return [variable.get(), decimal.getcontext().prec]
"""


def test_context_variables_that_init_sets_hold_in_every_thread(start_server: StartServer) -> None:
    server = start_server(OF_INIT, **SETTINGS)
    server.wait_ready()
    with ThreadPoolExecutor(3) as clients:
        answers = list(clients.map(lambda _: server.score("x").json(), range(3)))
    assert answers == [["of init", 7]] * 3
