"""The script's package runs in old environments: on Python 3.6 and its standard library alone."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gpu_inference_script

PACKAGE = Path(gpu_inference_script.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# What is imported only where it is there, or where the script has imported it. `azureml` is the stand-ins'.
OF_THE_SCRIPT = {
    "azureml",
    "flask",
    "inference_schema",
    "msgspec",
    "numpy",
    "opentelemetry",
    "orjson",
    "simdjson",
}


def test_no_file_needs_more_than_python_3_6() -> None:
    vermin = [sys.executable, "-c", "from vermin import main; main()"]
    options = ["--target=3.6-", "--no-tips", "--violations", "--eval-annotations"]
    done = subprocess.run([*vermin, *options, PACKAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "Minimum required versions: 3.6" in done.stdout


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module


def test_no_file_imports_what_an_old_environment_lacks() -> None:
    allowed = sys.stdlib_module_names | OF_THE_SCRIPT | {"gpu_inference_script"}
    foreign = {
        (file.name, name)
        for file in FILES
        for name in imported(file)
        if name.partition(".")[0] not in allowed
    }
    assert len(FILES) > 30
    assert foreign == set()


STARTED = """
import json, sys
before = set(sys.modules)
from gpu_inference_script import main
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_a_script_process_starts_with_the_standard_library_alone() -> None:
    done = subprocess.run([sys.executable, "-c", STARTED], capture_output=True, text=True, check=True)
    names = set(json.loads(done.stdout))
    assert names - sys.stdlib_module_names == {"gpu_inference_script"}
    # None of them is needed for a plain script, and each costs milliseconds.
    assert not names & {"asyncio", "decimal", "uuid", "unittest", "email", "http", "multiprocessing"}
