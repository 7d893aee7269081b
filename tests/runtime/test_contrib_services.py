"""`azureml.contrib.services` for scripts: by every import, and always ours, whatever is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

START = (
    "from gpu_inference_script.stand_ins import contrib_services, packages\n"
    "packages.offer(); contrib_services.offer()\n"
)
OURS = "print(requests.__file__.count('gpu_inference_script'), requests.requested)"
IMPORTS = {
    "from": "from azureml.contrib.services.aml_request import rawhttp, AMLRequest\n"
    "from azureml.contrib.services.aml_response import AMLResponse\n",
    "import as": "import azureml.contrib.services.aml_request as q\n"
    "import azureml.contrib.services.aml_response as a\n"
    "rawhttp, AMLRequest, AMLResponse = q.rawhttp, q.AMLRequest, a.AMLResponse\n",
    "import": "import azureml.contrib.services.aml_request\nimport azureml.contrib.services.aml_response\n"
    "from azureml.contrib import services as s\n"
    "rawhttp, AMLRequest = s.aml_request.rawhttp, s.aml_request.AMLRequest\n"
    "AMLResponse = s.aml_response.AMLResponse\n",
    "star": "from azureml.contrib.services.aml_request import *\n"
    "from azureml.contrib.services.aml_response import *\n",
    "server": "from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp\n"
    "from azureml_inference_server_http.api.aml_response import AMLResponse\n",
}
USE = """
import sys
@rawhttp
def run(request: AMLRequest) -> AMLResponse: return AMLResponse("x", 200)
assert run(None).status_code == 200 and run.__name__ == "run"
requests = sys.modules["azureml.contrib.services.aml_request"]
"""


def ran(code: str, *folders: Path) -> str:
    path = f"import sys; sys.path[:0] = {list(map(str, folders))!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", path + START + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("imports", IMPORTS.values(), ids=IMPORTS)
def test_every_way_to_import_it_leads_to_ours(imports: str) -> None:
    assert ran(imports + USE + OURS) == "1 True"


def test_both_packages_are_the_same_modules() -> None:
    code = (
        "import azureml_inference_server_http.api.aml_response as one\n"
        "import azureml.contrib.services.aml_response as other\nprint(one is other)"
    )
    assert ran(code) == "True"


def package(folder: Path, *modules: str) -> None:
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for module in modules:
        (folder / f"{module}.py").write_text("rawhttp = AMLRequest = AMLResponse = lambda *_: None\n")


def test_ours_wins_over_installed_ones(tmp_path: Path) -> None:
    package(tmp_path / "azureml")
    package(tmp_path / "azureml/contrib")
    package(tmp_path / "azureml/contrib/services", "aml_request", "aml_response", "something_else")
    package(tmp_path / "azureml_inference_server_http")
    package(tmp_path / "azureml_inference_server_http/api", "aml_request", "aml_response")
    code = IMPORTS["server"] + IMPORTS["import as"] + "import azureml.contrib.services.something_else\n"
    assert ran(code + USE + OURS, tmp_path) == "1 True"


def test_an_installed_azureml_without_contrib_does_not_hide_it(tmp_path: Path) -> None:
    package(tmp_path / "azureml", "real")
    code = "import azureml.real\nfrom azureml.core.model import Model\n"
    assert ran(IMPORTS["import as"] + USE + OURS, tmp_path) == "1 True"
    # A package that keeps its namespace to itself hides the other stand-ins, as it would on v1's server.
    with pytest.raises(AssertionError, match=r"No module named 'azureml\.core'"):
        ran(code, tmp_path)


def test_what_a_real_package_lacks_is_still_missing() -> None:
    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        ran("import azureml.contrib.services.no_such_module")


def test_flask_is_only_imported_for_scripts_that_ask_for_it() -> None:
    assert ran("import sys\nprint('flask' in sys.modules)") == "False"
