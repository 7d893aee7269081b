"""Scripts and settings that the server must not start with (contract §3.2, §3.8, §3.10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.runtime.differential.cases.case import Case, case

_RAW = "from azureml.contrib.services.aml_request import rawhttp\n"
_SCHEMA = (
    "from inference_schema.schema_decorators import input_schema\n"
    "from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType\n"
)
_ECHO = "def run(data): return data"
_USUAL = ("--entry_script", "src/score.py", "--port", "{port}")


@dataclass(frozen=True)
class FailedStart:
    """A start that fails on both sides.

    Args:
        case: what is started.
        says: what both logs must hold.
    """

    case: Case
    says: tuple[str, ...]


def _failed(
    name: str,
    script: str,
    *says: str,
    files: Mapping[str, str | bytes] | None = None,
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] | None = None,
) -> FailedStart:
    return FailedStart(case(name, script, files=files, settings=settings, arguments=arguments), says)


FAILED_STARTS = (
    _failed("no init", "def run(data): return data\n# init", "does not have a init() function defined."),
    _failed("no run", "def init(): pass", "does not have a run() function defined."),
    _failed("an empty script", "# init", "does not have a init() function defined."),
    _failed(
        "run without a parameter", "def run(): pass", "run() needs to accept an argument for input data."
    ),
    _failed(
        "run with request_headers alone",
        "def run(request_headers): pass",
        'run() needs to accept an argument other than "request_headers".',
    ),
    *(
        _failed(
            f"run({signature})",
            f"def run({signature}): pass",
            "run() cannot accept positional-only arguments, *args, or **kwargs.",
        )
        for signature in ("*args", "data, *more", "**kwargs", "data, **more", "data, /")
    ),
    _failed(
        "rawhttp and a schema",
        f"{_RAW}{_SCHEMA}@rawhttp\n@input_schema('x', StandardPythonParameterType(1))\ndef run(x): pass",
        "run() cannot be decorated with both @rawhttp and @input_schema",
    ),
    _failed("run is no function", "run = 5", "run"),
    _failed("init is no function", "init = 5\ndef run(data): pass"),
    _failed("init with a parameter", "def init(context): pass\ndef run(data): pass", "context"),
    _failed("init raises", "def init(): raise ValueError('no model')\n" + _ECHO, "ValueError: no model"),
    _failed("init exits with 0", "import sys\ndef init(): sys.exit(0)\n" + _ECHO, "SystemExit: 0"),
    _failed("init exits with 7", "import sys\ndef init(): sys.exit(7)\n" + _ECHO, "SystemExit: 7"),
    _failed("init is interrupted", "def init(): raise KeyboardInterrupt\n" + _ECHO, "KeyboardInterrupt"),
    _failed("the script does not parse", "def run(data) return data\n# init", "SyntaxError"),
    _failed("the script raises", "1 / 0\n" + _ECHO, "ZeroDivisionError: division by zero"),
    _failed("the script exits", "raise SystemExit\n" + _ECHO, "SystemExit"),
    _failed(
        "an import that cannot be had",
        "import pyspark\n" + _ECHO,
        "ModuleNotFoundError: No module named 'pyspark'",
    ),
    _failed(
        "the old import of rawhttp",
        "from azureml.contrib.services import rawhttp\n" + _ECHO,
        "from azureml.contrib.services import rawhttp",
        "Error: ",
    ),
    _failed(
        "the script named by the environment alone",
        _ECHO,
        settings={"AZUREML_ENTRY_SCRIPT": "src/score.py"},
        arguments=("--port", "{port}"),
    ),
    _failed("no script at all", _ECHO, arguments=("--port", "{port}")),
    _failed(
        "no such script",
        _ECHO,
        "absent.py",
        arguments=("--entry_script", "src/absent.py", "--port", "{port}"),
    ),
    _failed(
        "a model that is missing",
        "import os\ndef init(): open(os.path.join(os.environ['AZUREML_MODEL_DIR'], 'x.pkl'))\n" + _ECHO,
        "FileNotFoundError",
        "other.pkl",
        files={"azureml-models/m/1/other.pkl": b""},
        settings={"AZUREML_MODEL_DIR": "{root}/azureml-models/m/1"},
    ),
    _failed("a broken swagger.json", _ECHO, "swagger.json", files={"swagger.json": "{"}),
    _failed("a broken config.json", _ECHO, "config", files={"config.json": "{"}),
    _failed(
        "a timeout that is no number", _ECHO, "SCORING_TIMEOUT_MS", settings={"SCORING_TIMEOUT_MS": "long"}
    ),
    _failed("a worker count that is no number", _ECHO, settings={"WORKER_COUNT": "many"}),
    _failed("a worker timeout that is no number", _ECHO, settings={"WORKER_TIMEOUT": "long"}),
    _failed(
        "a timeout with a fraction", _ECHO, "SCORING_TIMEOUT_MS", settings={"SCORING_TIMEOUT_MS": "60000.5"}
    ),
    _failed(
        "a timeout in config.json that is no number",
        _ECHO,
        "SCORING_TIMEOUT_MS",
        files={"config.json": '{"SCORING_TIMEOUT_MS": "long"}'},
    ),
    _failed("a worker count below 0", _ECHO, settings={"WORKER_COUNT": "-1"}),
    _failed("a worker timeout below 0", _ECHO, settings={"WORKER_TIMEOUT": "-5"}),
    _failed(
        "a debugger's port that is no number",
        _ECHO,
        "AZUREML_DEBUG_PORT",
        settings={"AZUREML_DEBUG_PORT": "pydevd"},
    ),
    _failed("an app root that is a file", _ECHO, settings={"AML_APP_ROOT": "{root}/src/score.py"}),
    _failed("a config.json that is a list", _ECHO, "config", files={"config.json": "[]"}),
    _failed(
        "a script that is in the app root alone",
        "",
        files={"app/own/score.py": "def init(): pass\n" + _ECHO},
        settings={"AML_APP_ROOT": "{root}/app"},
        arguments=("--entry_script", "own/score.py", "--port", "{port}"),
    ),
    _failed("--port that is no number", _ECHO, "--port", arguments=(*_USUAL[:3], "http")),
    _failed("--port too large", _ECHO, "--port", arguments=(*_USUAL[:3], "70000")),
    _failed("--worker_count 0", _ECHO, "--worker_count", arguments=(*_USUAL, "--worker_count", "0")),
    _failed("an unknown flag", _ECHO, "--modeldir", arguments=(*_USUAL, "--modeldir", "x")),
    _failed(
        "--config_file that is missing, and no script",
        _ECHO,
        arguments=("--config_file", "absent.json", "--port", "{port}"),
    ),
    _failed("--config_file that is a folder", _ECHO, "src", arguments=(*_USUAL, "--config_file", "src")),
)
