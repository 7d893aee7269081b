"""What stands in for old packages, each only where the real one is absent, and named in the log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.runtime.server_process import Server, StartServer

from gpu_inference_script import stand_ins
from gpu_inference_script.config import Config
from gpu_inference_script.stand_ins import torch_pickles

# joblib and scikit-learn are the real ones of this environment. What is loaded is a file as joblib wrote it
# when it lived inside scikit-learn.
OF_2019 = """
import io, os
import numpy
from azureml.core.model import Model
from sklearn.externals import joblib
import sklearn.externals.joblib as by_its_whole_name
import joblib as itself
assert joblib is by_its_whole_name is itself
from sklearn.externals.joblib import Parallel
assert Parallel is itself.Parallel
import sklearn.externals.joblib.numpy_pickle as numpy_pickle
assert numpy_pickle is itself.numpy_pickle
assert itself.__spec__.name == "joblib"

def init():
    global path
    path = Model.get_model_path("net")

def run(data):
    if data == "where":
        return [joblib.__name__, path]
    # What is offered twice is there once.
    from gpu_inference_script import stand_ins
    stand_ins.offer()
    saved = io.BytesIO()
    itself.dump({"weights": numpy.arange(3)}, saved, protocol=2)
    old = saved.getvalue().replace(b"cjoblib.numpy_pickle", b"csklearn.externals.joblib.numpy_pickle")
    assert old != saved.getvalue()
    return joblib.load(io.BytesIO(old))["weights"].tolist()
"""


def run(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    prefix = f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}\n"
    return subprocess.run([sys.executable, "-c", prefix + code], capture_output=True, text=True)


@pytest.fixture(scope="module")
def of_2019(start_module_server: StartServer) -> Server:
    server = start_module_server(
        OF_2019,
        # As a ConfigMap's volume shows one file, and a disk its root.
        files=[
            *("azureml-models/net/2/weights.pkl", "azureml-models/net/2/..data/weights.pkl"),
            *("azureml-models/net/2/lost+found/x", "azureml-models/net/..2026/x"),
        ],
    )
    server.wait_ready()
    return server


def test_sklearn_externals_joblib_loads_the_models_of_its_time(of_2019: Server) -> None:
    assert of_2019.score("load").json() == [0, 1, 2]


def packages(folder: Path, *files: str) -> Path:
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"WHOSE = {name!r}\n")
    return folder


FIND = """
from gpu_inference_script.stand_ins import joblib_alias
joblib_alias.offer()
print(joblib_alias.is_needed())
try:
    from sklearn.externals import joblib
    print(joblib.WHOSE)
except ImportError as error:
    print(error)
"""
SKLEARN = ("sklearn/__init__.py", "sklearn/externals/__init__.py")


@pytest.mark.parametrize("own", ["sklearn/externals/joblib/__init__.py", "sklearn/externals/joblib.py"])
def test_a_joblib_of_scikit_learns_own_is_left_alone(tmp_path: Path, own: str) -> None:
    done = run(FIND, packages(tmp_path, *SKLEARN, own))
    assert done.stdout.splitlines() == ["False", own], done.stderr


def test_without_scikit_learn_or_joblib_the_import_fails_as_ever(tmp_path: Path) -> None:
    gone = "sys.modules['{}'] = None\n"
    done = run(gone.format("joblib") + FIND, packages(tmp_path, *SKLEARN))
    assert done.stdout.splitlines()[0] == "False", done.stderr
    assert "cannot import name 'joblib' from 'sklearn.externals'" in done.stdout
    done = run(gone.format("sklearn") + FIND)
    assert done.stdout.splitlines()[0] == "False", done.stderr


@pytest.fixture
def torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a package of PyTorch's name be found; whether it is there is all that is asked."""
    monkeypatch.syspath_prepend(packages(tmp_path / "torch-is-here", "torch/__init__.py"))
    for name in (torch_pickles.VARIABLE, "TORCH_FORCE_WEIGHTS_ONLY_LOAD"):
        # First set, so that it is gone after the test, whatever the test does.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("torch")
def test_torch_may_load_whole_models_unless_the_user_has_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_pickles.allow()
    assert os.environ[torch_pickles.VARIABLE] == "1"
    for name, value in ((torch_pickles.VARIABLE, "0"), ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")):
        monkeypatch.delenv(torch_pickles.VARIABLE, raising=False)
        monkeypatch.setenv(name, value)
        torch_pickles.allow()
        assert os.environ.get(torch_pickles.VARIABLE) == ("0" if name == torch_pickles.VARIABLE else None)


def test_without_torch_its_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(torch_pickles.VARIABLE, raising=False)
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "torch", None)
    torch_pickles.allow()
    assert torch_pickles.VARIABLE not in os.environ


@pytest.mark.usefixtures("torch")
def test_what_is_in_effect_is_told_and_nothing_of_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(packages(tmp_path / "old", *SKLEARN, "joblib/__init__.py"))
    unwanted = {"sklearn", "joblib", "torch", "azureml"}
    # Other tests of this process may have imported them.
    for name in unwanted & sys.modules.keys():
        monkeypatch.delitem(sys.modules, name)
    config = Config(str(tmp_path), source_directory="src")
    assert [line.partition(",")[0] for line in stand_ins.describe(config)] == [
        "azureml.core.model.Model",
        "azureml.monitoring.ModelDataCollector",
        "azureml.contrib.services (rawhttp",
        "sklearn.externals.joblib is joblib",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1",
    ]
    assert not unwanted & sys.modules.keys()
    packages(tmp_path / "src", "azureml/core/model.py", "azureml/monitoring/__init__.py")
    packages(tmp_path / "old", "sklearn/externals/joblib.py")
    torch_pickles.allow()
    lines = list(stand_ins.describe(config))
    assert [line.partition(",")[0] for line in lines] == ["azureml.contrib.services (rawhttp"]


def test_a_script_of_2019_runs_unmodified(of_2019: Server) -> None:
    model = f"{of_2019.folder}/azureml-models/net/2/weights.pkl"
    assert of_2019.score("where").json() == ["joblib", model]
    assert "Stand-in: azureml.core.model.Model, since azureml.core.model is not installed" in of_2019.log
    assert "Stand-in: sklearn.externals.joblib is joblib" in of_2019.log
