"""Loading the user's script: what it may count on, and what is said when it cannot be served."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.crossed import request

from gpu_inference_script import flask_request
from gpu_inference_script.entry_script import (
    EntryScript,
    EntryScriptError,
    add_script_folders,
    load_entry_script,
)

GOOD = "def init(): pass\ndef run(data): return data\n"
RAW = "from azureml.contrib.services.aml_request import rawhttp, AMLRequest\n"
SCHEMA = (
    "from inference_schema.schema_decorators import input_schema, output_schema\n"
    "from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType\n"
)
ONE = "StandardPythonParameterType(1)"
NAMED_ONLY = "run() cannot accept positional-only arguments, *args, or **kwargs."
BOTH = "run() cannot be decorated with both @rawhttp and @input_schema"
JSON = {"content-type": "application/json"}


pytestmark = pytest.mark.usefixtures("own_imports")


def write(folder: Path, text: str) -> str:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/score.py").write_text(text)
    return "src/score.py"


def load(folder: Path, text: str) -> EntryScript:
    add_script_folders(folder, "src")
    return load_entry_script(write(folder, "def init(): pass\n" + text), folder)


def result(script: EntryScript, body: bytes, **headers: str) -> Any:
    asked = request(headers=headers, body=body)
    with flask_request.current(asked):
        return script.call(asked).make()


def test_a_script_without_a_path_is_the_built_in_echo(tmp_path: Path) -> None:
    script = load_entry_script(None, tmp_path)
    script.init()
    assert result(script, b"abc") == "abc"


def test_the_script_imports_from_its_folder_and_the_app_root(tmp_path: Path) -> None:
    entry = write(tmp_path, "import beside_me, in_the_root\n" + GOOD)
    (tmp_path / "src/beside_me.py").touch()
    (tmp_path / "in_the_root.py").touch()
    add_script_folders(tmp_path, "src")
    add_script_folders(tmp_path, "src")
    load_entry_script(entry, tmp_path)
    assert sys.path[-2:] == [str(tmp_path), str(tmp_path / "src")]


def test_classes_of_the_script_can_be_looked_up_by_their_module(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        "from __future__ import annotations\nimport dataclasses\n"
        "@dataclasses.dataclass\nclass Row:\n    kind: dataclasses.KW_ONLY\n    x: int\n" + GOOD,
    )
    load_entry_script(entry, tmp_path)


def test_an_absolute_path_needs_no_app_root(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert result(load_entry_script(str(tmp_path / "src/score.py"), Path("/")), b"x") == "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def init(): pass\n", "does not have a run() function defined."),
        ("def run(data): pass\n", "does not have a init() function defined."),
        ("init = run = 1\n", "does not have a init() function defined."),
        ("def init(): pass\nrun = max\n", "run() must be a function written in Python."),
        ("def init(): pass\ndef run(): pass\n", "run() needs to accept an argument for input data."),
        (
            "def init(): pass\ndef run(request_headers): pass\n",
            'run() needs to accept an argument other than "request_headers".',
        ),
        ("def init(): pass\ndef run(data, /): pass\n", NAMED_ONLY),
        ("def init(): pass\ndef run(data, *more): pass\n", NAMED_ONLY),
        ("def init(): pass\ndef run(data, **more): pass\n", NAMED_ONLY),
        (f"{RAW}{SCHEMA}@rawhttp\n@input_schema('x', {ONE})\ndef run(x): pass\ndef init(): pass\n", BOTH),
        (f"{RAW}{SCHEMA}@input_schema('x', {ONE})\ndef run(x): pass\n@rawhttp\ndef init(): pass\n", BOTH),
    ],
)
def test_a_script_that_lacks_something_is_refused_by_name(tmp_path: Path, text: str, sentence: str) -> None:
    entry = write(tmp_path, text)
    with pytest.raises(EntryScriptError) as caught:
        load_entry_script(entry, tmp_path)
    assert sentence in str(caught.value)
    assert str(tmp_path / "src/score.py") in str(caught.value)


def test_a_missing_script_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(EntryScriptError) as caught:
        load_entry_script("src/absent.py", tmp_path)
    assert str(tmp_path / "src/absent.py") in str(caught.value)
    assert "AZUREML_ENTRY_SCRIPT" in str(caught.value)


def test_a_file_that_is_not_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "score.txt").write_text(GOOD)
    with pytest.raises(EntryScriptError, match=r"its name must end in \.py"):
        load_entry_script("score.txt", tmp_path)


def test_what_the_top_level_raises_comes_through(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError):
        load_entry_script(write(tmp_path, "def init(:\n"), tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load_entry_script(write(tmp_path, "import no_such_package\n"), tmp_path)


# What run() is given


def test_an_undecorated_run_gets_text_by_any_parameter_name(tmp_path: Path) -> None:
    assert result(load(tmp_path, "def run(anything): return [anything]"), b"x") == ["x"]
    assert result(load(tmp_path, "def run(*, anything): return [anything]"), b"x") == ["x"]


def test_other_parameters_keep_their_defaults(tmp_path: Path) -> None:
    assert result(load(tmp_path, "def run(data, more=2): return data, more"), b"x") == ("x", 2)


def test_a_parameter_without_a_value_fails_each_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = load(tmp_path, "def run(data, more): return data")
    assert "'more' that gets no value" in caplog.text
    with pytest.raises(TypeError, match="more"):
        result(script, b"x")


@pytest.mark.parametrize(
    "parameters", ["data, request_headers", "request_headers, data", "request_headers, *, data"]
)
def test_request_headers_are_written_as_flask_shows_them(tmp_path: Path, parameters: str) -> None:
    script = load(tmp_path, f"def run({parameters}): return data, request_headers")
    headers = {"content-type": "text/plain", "x-ms-request-id": "my-id", "x-2nd": "2"}
    assert result(script, b"x", **headers) == (
        "x",
        {"Host": "service.example", "Content-Type": "text/plain", "X-Ms-Request-Id": "my-id", "X-2Nd": "2"},
    )


def test_a_decorated_run_gets_converted_arguments_and_headers(tmp_path: Path) -> None:
    script = load(
        tmp_path,
        f"{SCHEMA}import datetime\n"
        f"@input_schema('x', {ONE})\n"
        "@input_schema('at', StandardPythonParameterType(datetime.datetime.now()))\n"
        f"@output_schema({ONE})\n"
        "def run(x, at, request_headers, other=3): return x, at.year, other, request_headers",
    )
    body = b'{"x": 1, "at": "2020-01-31", "request_headers": "ignored"}'
    assert result(script, body, **JSON) == (
        *(1, 2020, 3),
        {"Host": "service.example", "Content-Type": "application/json"},
    )


def test_an_output_schema_alone_makes_run_take_a_json_object(tmp_path: Path) -> None:
    script = load(tmp_path, f"{SCHEMA}@output_schema({ONE})\ndef run(data): return data")
    assert result(script, b'{"data": [1]}', **JSON) == [1]


def test_a_raw_run_gets_the_front_ends_request(tmp_path: Path) -> None:
    script = load(tmp_path, f"{RAW}@rawhttp\ndef run(request: AMLRequest): return request.get_data()")
    asked = request(body=b"\xff")
    with flask_request.current(asked):
        assert script.call(asked).make() == b"\xff"
    assert "OPTIONS" in script.inputs.methods


def test_importing_the_decorator_without_using_it_changes_nothing(tmp_path: Path) -> None:
    assert result(load(tmp_path, f"{RAW}def run(data): return data"), b"x") == "x"


def test_of_a_driver_script_the_run_of_its_driver_module_is_called(tmp_path: Path) -> None:
    (tmp_path / "user_score.py").write_text(
        f"{SCHEMA}@input_schema('x', {ONE})\ndef run(x): return 'the user\\'s', x\n"
    )
    script = load(
        tmp_path,
        "import user_score as driver_module\nran = []\n"
        "def init(): ran.append('driver init')\n"
        "def run(*args, **kwargs): return driver_module.run(*args)\n",
    )
    script.init()
    assert sys.modules["entry_module"].ran == ["driver init"]
    assert result(script, b'{"x": 1}', **JSON) == ("the user's", 1)


@pytest.mark.parametrize("value", ["None", "'text'", "__import__('json')"])
def test_another_driver_module_is_ignored(tmp_path: Path, value: str) -> None:
    assert result(load(tmp_path, f"driver_module = {value}\ndef run(data): return 1"), b"") == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def run(data): pass", "run() is not decorated and gets the body as a string"),
        (
            f"{SCHEMA}@input_schema('x', {ONE})\ndef run(x, y=1): pass",
            "run() is decorated with @input_schema and gets the arguments x, y",
        ),
        (
            f"{RAW}@rawhttp\ndef run(request): pass",
            "run() is decorated with @rawhttp and gets Flask's request object",
        ),
    ],
)
def test_the_log_says_how_run_is_called(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: str
) -> None:
    caplog.set_level("INFO")
    load(tmp_path, text)
    assert [message for message in caplog.messages if message.startswith("run()")] == [line]


def test_packages_of_other_kinds_of_scripts_are_not_imported(tmp_path: Path) -> None:
    entry = write(tmp_path, GOOD)
    code = (
        "import sys, pathlib\nfrom gpu_inference_script.entry_script import load_entry_script\n"
        f"script = load_entry_script({entry!r}, pathlib.Path({str(tmp_path)!r})); script.init()\n"
        "unwanted = {'inference_schema', 'flask', 'asyncio', 'numpy', 'azureml'} & set(sys.modules)\n"
        "assert not unwanted, unwanted"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
