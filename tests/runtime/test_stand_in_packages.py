"""The stand-ins for Azure ML's packages, beside each way in which a real `azureml` may be installed."""

import os
import subprocess
import sys
from pathlib import Path

WHOSE = (
    "from gpu_inference_script.stand_ins import packages; packages.offer(); packages.offer()\n"
    "import azureml.core.model as model\n"
    "print('ours' if 'gpu_inference_script' in model.__file__ else 'real', model.MODELS_DIR)"
)
PKGUTIL_STYLE = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"


def imported(path: Path, code: str = WHOSE) -> str:
    """Import with a folder at the end of `sys.path`, where it has least to say; return what was printed."""
    code = f"import sys; sys.path.append({str(path)!r})\n{code}"
    environment = {**os.environ, "AML_APP_ROOT": "/the/root"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def package(path: Path, *modules: str, init: str | None = "") -> None:
    path.mkdir(parents=True)
    if init is not None:
        (path / "__init__.py").write_text(init)
    for name in modules:
        (path / f"{name}.py").write_text("MODELS_DIR = 'x'\n")


def test_without_any_azureml_the_stand_in_is_imported(tmp_path: Path) -> None:
    assert imported(tmp_path) == "ours /the/root/azureml-models"


def test_the_package_offers_the_class_alone() -> None:
    code = (
        "from gpu_inference_script.stand_ins import packages; packages.offer()\n"
        "from azureml.core import Model\n"
        "from azureml.core.model import Model as Same\n"
        "print(Model is Same)\n"
        "from azureml.core import Workspace\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "True\n")
    assert "ImportError: cannot import name 'Workspace' from 'azureml.core'" in done.stderr


def test_azureml_core_as_its_wheel_lays_it_out_wins(tmp_path: Path) -> None:
    package(tmp_path / "azureml", init=PKGUTIL_STYLE)
    package(tmp_path / "azureml/core", "model")
    assert imported(tmp_path) == "real x"


def test_a_regular_azureml_package_wins(tmp_path: Path) -> None:
    package(tmp_path / "azureml")
    package(tmp_path / "azureml/core", "model")
    assert imported(tmp_path) == "real x"


def test_a_namespace_azureml_with_its_own_core_wins(tmp_path: Path) -> None:
    package(tmp_path / "azureml/core", "model")
    assert imported(tmp_path) == "real x"


def test_an_azureml_package_without_core_hides_no_stand_in(tmp_path: Path) -> None:
    package(tmp_path / "azureml", init=PKGUTIL_STYLE)
    package(tmp_path / "azureml/monitoring")
    assert imported(tmp_path) == "ours /the/root/azureml-models"


WAYS = """
from gpu_inference_script.stand_ins import packages; packages.offer()
from azureml.core import Model
import azureml.core
from azureml.core.model import Model as by_its_module
print(Model is azureml.core.Model is azureml.core.model.Model is by_its_module, hasattr(azureml.core, "Run"))
"""


def test_model_is_reached_by_each_way_that_scripts_import_it(tmp_path: Path) -> None:
    assert imported(tmp_path, WAYS) == "True False"


def test_importing_the_server_imports_neither_azureml_nor_tensorflow() -> None:
    code = "import sys, gpu_inference_runtime.process.server\n"
    code += "assert not {'azureml', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
