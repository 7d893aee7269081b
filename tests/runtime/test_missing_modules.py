"""What the log says about an import of the script's that fails: what is missing, and what to do about it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.runtime.server_process import StartServer

from gpu_inference_script.failure_hints import missing_module

# In a process of its own, for the stand-ins that other tests have imported.
EXPLAIN = """
import sys
from gpu_inference_script import stand_ins
from gpu_inference_script.failure_hints import missing_module
stand_ins.offer()
sys.path.append(sys.argv[1])
try:
    exec(sys.argv[2])
except ImportError as error:
    print(missing_module(error))
"""
SDK = "of Azure ML's SDK is not in this image"


def explained(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", EXPLAIN, folder, code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("code", "beginning"),
    [
        ("import no_such_package.deep", "There is no module 'no_such_package' in this image."),
        ("import azureml.train.automl", f"azureml.train {SDK}"),
        ("from azureml.core.run import Run", f"azureml.core.run {SDK}"),
        ("from azureml.core import Model, Workspace", f"What azureml.core has {SDK}"),
        ("from azureml.monitoring import Alerts", f"What azureml.monitoring has {SDK}"),
        (
            "import own.missing",
            "There is no 'own.missing' in 'own' of this image (a folder without __init__.py)",
        ),
        ("import json.missing", "There is no 'json.missing' in 'json' of this image (/"),
        # The traceback says it all.
        ("from json import missing", "None"),
        ("raise ImportError('libcudart.so.11.0: cannot open shared object file')", "None"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, code: str, beginning: str) -> None:
    (tmp_path / "own").mkdir()
    assert explained(tmp_path, code).startswith(beginning)


def test_a_package_is_called_as_it_is_on_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    # None is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError) as caught:
        __import__("cv2")
    assert "pip install opencv-python-headless" in (missing_module(caught.value) or "")


def test_an_error_raised_from_an_import_error_is_understood() -> None:
    error = RuntimeError("the model cannot be loaded")
    error.__cause__ = ModuleNotFoundError("No module named 'xgboost'", name="xgboost")
    assert "There is no module 'xgboost'" in (missing_module(error) or "")
    assert missing_module(RuntimeError("no import")) is None


def test_a_start_that_fails_for_an_import_says_what_to_do(start_server: StartServer) -> None:
    server = start_server("from azureml.core import Workspace\ndef init(): pass\ndef run(data): return data")
    assert server.wait_for_exit() == 3
    assert "ImportError: cannot import name 'Workspace' from 'azureml.core'" in server.log
    assert f"What azureml.core has {SDK}" in server.log


def test_an_import_inside_run_says_what_to_do_and_only_to_the_log(start_server: StartServer) -> None:
    server = start_server("def init(): pass\ndef run(data):\n    import no_such_package\n")
    server.wait_ready()
    answer = server.score("x")
    assert answer.status_code == 500
    assert "no_such_package" not in answer.text
    assert "There is no module 'no_such_package' in this image." in server.log


def test_azureml_packages_beside_the_script_are_its_own(start_server: StartServer) -> None:
    own = ("src/azureml/monitoring/__init__.py", "src/azureml/core/model.py")
    server = start_server(
        "import azureml.monitoring, azureml.core.model\n"
        "def init(): pass\n"
        "def run(data): return [azureml.monitoring.__file__, azureml.core.model.__file__]",
        files=own,
    )
    server.wait_ready()
    assert server.score("x").json() == [str(server.folder / name) for name in own]
