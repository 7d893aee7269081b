"""Batching on a real server: what waits together is scored together, and each client gets its own answer."""

import io
import json
import re
import threading
from typing import Any

import numpy as np
import pytest
import requests
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

# A call of "hold" lasts until there is a file `go`, so that others wait together meanwhile.
MERGED = """
import json, pathlib, time
def init(): pass
def run(raw_data):
    rows = json.loads(raw_data)["data"]
    print("rows", len(rows))
    if rows == ["hold"]:
        while not pathlib.Path("go").exists():
            time.sleep(0.01)
    if "bad" in rows:
        raise ValueError("a bad row")
    return [[row, "answer"] for row in rows]
"""
ARRAY = """
import pathlib, time
def init(): pass
def run(rows):
    print("array", rows.dtype, rows.shape)
    while rows[0, 0] < 0 and not pathlib.Path("go").exists():
        time.sleep(0.01)
    return rows.sum(axis=1)
"""
SCHEMA = """
import pathlib, time
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema
def init(): pass
@input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
def run(data):
    print("array", data.dtype, data.shape)
    while data[0, 0] < 0 and not pathlib.Path("go").exists():
        time.sleep(0.01)
    return data.sum(axis=1)
"""
JSON = {"Content-Type": "application/json"}


def ask(server: Server, rows: list[Any]) -> requests.Response:
    return server.score(json.dumps({"data": rows}), **JSON)


def together(server: Server, hold: list[Any], others: list[list[Any]]) -> list[requests.Response]:
    """Return the answers to requests that have waited together while the first one was held."""
    answers: dict[int, requests.Response] = {}

    def send(number: int, rows: list[Any]) -> None:
        answers[number] = ask(server, rows)

    threads = [
        threading.Thread(target=send, args=(number, rows)) for number, rows in enumerate([hold, *others])
    ]
    threads[0].start()
    in_run = re.compile(r"rows 1|array \w+ \(")
    server.wait_until(lambda: in_run.search(server.log) is not None, "the first one is in run()")
    for thread in threads[1:]:
        thread.start()
    queued = f"gpu_inference_queued_requests {len(others)}.0"
    server.wait_until(lambda: queued in server.management("/metrics").text, "the others wait")
    (server.folder / "go").touch()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return [answers[number] for number in range(1, len(threads))]


def started(start_server: StartServer, script: str, mode: str, **settings: str) -> Server:
    server = start_server(script, GPU_INFERENCE_BATCHING=mode, **settings)
    server.wait_ready()
    return server


def test_an_unmodified_script_gets_the_rows_of_all_who_wait(start_server: StartServer) -> None:
    server = started(start_server, MERGED, "merge")
    answers = together(server, ["hold"], [["a"], ["b", "c"], ["d"]])
    assert [answer.json() for answer in answers] == [
        [["a", "answer"]],
        [["b", "answer"], ["c", "answer"]],
        [["d", "answer"]],
    ]
    assert "rows 4" in server.log
    assert "gpu_inference_batch_requests_sum 4.0" in server.management("/metrics").text


def test_a_row_that_fails_costs_only_its_own_client(start_server: StartServer) -> None:
    server = started(start_server, MERGED, "merge")
    answers = together(server, ["hold"], [["a"], ["bad"], ["c"]])
    assert [answer.status_code for answer in answers] == [200, 500, 200]
    assert answers[2].json() == [["c", "answer"]]


def test_a_batch_has_no_more_rows_than_it_may(start_server: StartServer) -> None:
    server = started(start_server, MERGED, "merge", GPU_INFERENCE_BATCH_MAX_ROWS="2")
    answers = together(server, ["hold"], [[name] for name in "abcd"])
    assert [answer.json() for answer in answers] == [[[name, "answer"]] for name in "abcd"]
    assert max(int(rows) for rows in re.findall(r"rows (\d+)", server.log)) == 2


def test_a_script_takes_the_array_of_all_who_wait(start_server: StartServer) -> None:
    server = started(start_server, ARRAY, "array", GPU_INFERENCE_ARRAY_DTYPE="float32")
    answers = together(server, [[-1, 0]], [[[1, 2]], [[3, 4], [5, 6]]])
    assert [answer.json() for answer in answers] == [[3.0], [7.0, 11.0]]
    assert "array float32 (3, 2)" in server.log


def test_numpys_files_come_in_and_go_out(start_server: StartServer) -> None:
    server = started(start_server, ARRAY, "array")
    file = io.BytesIO()
    np.save(file, np.array([[1, 2], [3, 4]], dtype=np.uint8))
    npy = "application/x-npy"
    answer = server.score(file.getvalue(), **{"Content-Type": npy, "Accept": npy})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, npy)
    assert np.load(io.BytesIO(answer.content)).tolist() == [3.0, 7.0]
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    refused = server.score(objects.getvalue(), **{"Content-Type": npy})
    assert refused.status_code == 400
    assert "pickle" in refused.json()["message"]


def test_arrays_of_a_schema_are_stacked(start_server: StartServer) -> None:
    server = started(start_server, SCHEMA, "schema")
    answers = together(server, [[-1, 0]], [[[1, 2]], [["no", "number"]], [[3, 4]]])
    assert [answer.status_code for answer in answers] == [200, 500, 200]
    assert [answers[0].json(), answers[2].json()] == [[3.0], [7.0]]
    assert "array float64 (2, 2)" in server.log


@pytest.mark.parametrize("mode", ["none", "schema"])
def test_a_schemas_array_comes_in_and_goes_out_in_binary(start_server: StartServer, mode: str) -> None:
    server = started(start_server, SCHEMA, mode)
    npy, rows = "application/x-npy", np.array([[1, 2], [3, 4]], np.uint8)
    file = io.BytesIO()
    np.save(file, rows)
    answer = server.score(file.getvalue(), **{"Content-Type": npy, "Accept": npy})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, npy)
    assert np.load(io.BytesIO(answer.content)).tolist() == [3, 7]
    assert server.score(file.getvalue(), **{"Content-Type": npy}).json() == [3, 7]
    tensor = "application/x-tensor; dtype=uint8; shape=2x2"
    assert server.score(rows.tobytes(), **{"Content-Type": tensor}).json() == [3, 7]
    refused = server.score(rows.tobytes(), **{"Content-Type": tensor.replace("2x2", "1x4")})
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "The 'data' parameter takes an array of nx2, but the body has 1x4.",
    )
    assert "array float64 (2, 2)" in server.log


def test_a_script_that_takes_no_array_ends_the_start_with_a_sentence(start_server: StartServer) -> None:
    raw = "from azureml.contrib.services.aml_request import rawhttp\n"
    script = raw + "def init(): pass\n@rawhttp\ndef run(request): pass\n"
    server = start_server(script, GPU_INFERENCE_BATCHING="array")
    assert server.wait_for_exit() == 3
    assert "Traceback" not in server.log
