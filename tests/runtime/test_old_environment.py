"""Scripts in an environment of their own, older than the server's: Debian 11's Python 3.9 and its packages.

What is scored here is a model that no scikit-learn of today loads, by a script as it was.
"""

import json
import os
import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import joblib
import pytest
import requests
from tests.old_environment import old_python
from tests.old_service import OldService, old_service
from tests.runtime.server_process import PATIENCE_SECONDS, Server, StartServer

import gpu_inference_script
from gpu_inference.paths import cache_directory
from gpu_inference.progress import Progress

PACKAGE = Path(gpu_inference_script.__file__).parent
TIMEOUT_MS = 600
# Does what it is told, and otherwise says which Python it runs in.
OBEDIENT = """
import os, sys, time
def init():
    sys.stderr.write("init in Python {}.{}\\n".format(*sys.version_info))
def run(what):
    if what == "raise":
        raise RuntimeError("as asked")
    if what == "sleep":
        time.sleep(1000)
    if what == "compute":
        while True:
            pass
    if what == "exit":
        os._exit(1)
    return ["{}.{}".format(*sys.version_info), os.getpid()]
"""


@pytest.fixture(scope="module")
def python() -> Path:
    return old_python(cache_directory(), Progress())


@pytest.fixture(scope="module")
def service(python: Path, tmp_path_factory: pytest.TempPathFactory) -> OldService:
    return old_service(python, tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def server(python: Path, service: OldService, start_module_server: StartServer) -> Server:
    server = start_module_server(GPU_INFERENCE_SCRIPT_PYTHON=str(python), **service.settings)
    server.wait_ready()
    return server


@pytest.fixture(scope="module")
def obedient(python: Path, start_module_server: StartServer) -> Server:
    server = start_module_server(
        OBEDIENT,
        GPU_INFERENCE_SCRIPT_PYTHON=str(python),
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_MAX_QUEUE_WAIT_MS="60000",
        SCORING_TIMEOUT_MS=str(TIMEOUT_MS),
    )
    server.wait_ready()
    return server


def test_todays_scikit_learn_does_not_load_the_old_model(service: OldService) -> None:
    # Of its version it warns first.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="incompatible dtype"):
            joblib.load(service.model)


def test_an_old_script_scores_as_in_its_own_environment(server: Server, service: OldService) -> None:
    answer = server.score(service.body, **{"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, service.predictions)


def test_the_script_runs_in_the_old_python_with_its_own_packages(server: Server) -> None:
    assert re.search(r"azmlinfsrv\.print - Python 3\.9\.\d+ scikit-learn 0\.23\.", server.log)


def test_what_the_script_prints_and_logs_carries_the_requests_id(server: Server, service: OldService) -> None:
    assert server.score(service.body, **{"x-request-id": "R-1"}).status_code == 200
    server.wait_for_log("[R-1] POST /score 200")
    assert "azmlinfsrv.print - [R-1] patients: 5\n" in server.log
    assert "root - [R-1] the data has the shape (5, 10)\n" in server.log


def test_what_old_packages_refuse_is_500_with_a_logged_traceback(server: Server, service: OldService) -> None:
    assert server.score('{"data": [[1.0, 2.0]]}').status_code == 500
    server.wait_for_log("Model n_features is 10 and input n_features is 2")
    assert server.score(service.body).json() == service.predictions


def test_the_specification_is_that_of_the_script(server: Server) -> None:
    specification = requests.get(server.url("/swagger.json"), timeout=PATIENCE_SECONDS).json()
    assert {"/", "/score"} <= set(specification["paths"])


def test_a_run_that_raises_is_answered_502_behind_the_front_end(obedient: Server) -> None:
    answer = obedient.score("raise")
    assert (answer.status_code, answer.headers["x-ms-run-function-failed"]) == (502, "True")
    obedient.wait_for_log("RuntimeError: as asked")


@pytest.mark.parametrize("what", ["sleep", "compute"])
def test_a_call_past_its_timeout_is_ended_and_its_process_goes_on(obedient: Server, what: str) -> None:
    before = obedient.score("who").json()
    answer = obedient.score(what)
    assert (answer.status_code, answer.json()) == (
        504,
        {"message": f"Scoring timeout after {TIMEOUT_MS} ms"},
    )
    assert obedient.score("who").json() == before


def test_a_process_that_dies_is_replaced_by_one_of_the_old_python(obedient: Server) -> None:
    version, process = obedient.score("who").json()
    assert obedient.score("exit").status_code == 502
    successor = obedient.score("who").json()
    assert (version, successor[0]) == ("3.9", "3.9")
    assert successor[1] != process
    assert obedient.log.count("init in Python 3.9\n") == 2


WITH_FLASK = """
import flask
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
def init(): pass
@rawhttp
def run(request):
    said = [flask.__version__, request.method, request.args["page"], request.get_data(False).decode()]
    said.append(flask.request.headers["x-page"])
    return AMLResponse(said, 201, {"x-kind": "old"}, True)
"""


def test_a_rawhttp_script_gets_the_request_of_the_flask_that_it_has(
    python: Path, start_server: StartServer
) -> None:
    server = start_server(WITH_FLASK, GPU_INFERENCE_SCRIPT_PYTHON=str(python))
    server.wait_ready()
    answer = server.score("text", path="/score?page=7", **{"x-page": "8"})
    assert (answer.status_code, answer.headers["x-kind"]) == (201, "old")
    assert answer.json() == ["1.1.2", "POST", "7", "text", "8"]


WITH_SCHEMA = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema
def init(): pass
@input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]])))
@output_schema(NumpyParameterType(np.array([3.0])))
def run(data):
    return data.sum(axis=1)
"""


def test_a_schema_of_an_old_inference_schema_is_checked_and_shown(
    python: Path, start_server: StartServer
) -> None:
    settings = {"GPU_INFERENCE_SCRIPT_PYTHON": str(python), "GPU_INFERENCE_FRONT_END": "azureml"}
    server = start_server(WITH_SCHEMA, **settings)
    server.wait_ready()
    as_json = {"Content-Type": "application/json"}
    assert server.score('{"data": [[1, 2], [3, 4]]}', **as_json).json() == [3.0, 7.0]
    refused = server.score('{"data": [[1, 2, 3]]}', **as_json)
    assert refused.status_code == 400
    assert "array has size 3 on dimension #1, while expected value is 2" in refused.json()["message"]
    path = "/api/v1/service/mnist/swagger.json"
    specification = requests.get(server.url(path), timeout=PATIENCE_SECONDS).json()
    assert specification["definitions"]["ServiceInput"]["example"] == {"data": [[1.0, 2.0]]}
    assert "Traceback" not in server.log


# As start.py does: the package is found in its folder, which is not on the path. Only scripts that use Flask
# need it.
PACKAGE_ALONE = """
import importlib.util, json, os, pkgutil, sys

folder, app_root, body = sys.argv[1:]
name = "gpu_inference_script"
path = os.path.join(folder, "__init__.py")
spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[folder])
package = importlib.util.module_from_spec(spec)
sys.modules[name] = package
spec.loader.exec_module(package)
sys.modules["flask"] = sys.modules["werkzeug"] = None
modules = [module.name for module in pkgutil.walk_packages([folder], name + ".")]
for module in modules:
    importlib.import_module(module)
files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
foreign = [file for file in files if "dist-packages" in file]

from gpu_inference_script.config import Config
from gpu_inference_script.loading import load
from gpu_inference_script.request import Request
from gpu_inference_script.scoring import score

loaded = load(Config(app_root=app_root, entry_script="src/score.py"), lambda outcome, rows: None)
from azureml.monitoring import ModelDataCollector
call = loaded.script.call(Request("POST", "/score", body=body.encode()))
answer = score(call.make, "none", call.client_error, 60000)
print(json.dumps([modules, foreign, answer.status, json.loads(answer.body)]), file=sys.stderr)
"""


def test_the_script_package_needs_the_standard_library_alone(python: Path, service: OldService) -> None:
    modules, foreign, status, predictions = package_alone(python, PACKAGE, service)
    assert {"gpu_inference_script.worker", "gpu_inference_script.batching"} <= set(modules)
    assert foreign == []
    assert (status, predictions) == (200, service.predictions)


def package_alone(python: Path, package: Path, service: OldService) -> Any:
    done = subprocess.run(
        [python, "-c", PACKAGE_ALONE, package, service.app_root, service.body],
        env=os.environ | service.settings,
        cwd=service.app_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])
