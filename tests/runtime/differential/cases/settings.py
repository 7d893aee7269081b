"""Settings from the command line, the environment and config.json (contract §3.8), as answers show them."""

import json
from collections.abc import Mapping, Sequence

from tests.runtime.differential.cases.case import Case, case, get, post
from tests.runtime.differential.cases.routes import ECHO

_SWAGGER = get("/swagger.json")
_SLEEPER = "import time\ndef run(data):\n    time.sleep(20)"
_ORIGIN = (("Origin", "https://a.example"),)
_USUAL = ("--entry_script", "src/score.py", "--port", "{port}")


def _config(**values: object) -> str:
    return json.dumps(values)


def _odd(
    name: str,
    *,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
) -> Case:
    """What neither server's start ends with, though it is no proper setting."""
    return case(
        name, ECHO, post(b"x"), get("/"), files=files, settings=settings, arguments=(*_USUAL, *arguments)
    )


CASES = (
    case(
        "config.json in the app root",
        _SLEEPER,
        _SWAGGER,
        post(b"x"),
        files={
            "config.json": _config(SERVICE_NAME="of the file", SERVICE_VERSION="2", SCORING_TIMEOUT_MS=200)
        },
    ),
    case(
        "config.json beside the script",
        ECHO,
        _SWAGGER,
        files={"src/config.json": _config(SERVICE_NAME="beside")},
    ),
    case(
        "config.json in both places",
        ECHO,
        _SWAGGER,
        files={
            "config.json": _config(SERVICE_NAME="root"),
            "src/config.json": _config(SERVICE_NAME="beside"),
        },
    ),
    case(
        "the environment over config.json",
        ECHO,
        _SWAGGER,
        files={"config.json": _config(SERVICE_NAME="of the file", SERVICE_VERSION="2")},
        settings={"SERVICE_NAME": "of the environment"},
    ),
    case(
        "AZUREML_CONFIG_FILE",
        ECHO,
        _SWAGGER,
        files={"other.json": _config(SERVICE_NAME="other"), "config.json": _config(SERVICE_NAME="root")},
        settings={"AZUREML_CONFIG_FILE": "{root}/other.json"},
    ),
    case(
        "--config_file",
        ECHO,
        _SWAGGER,
        files={"other.json": _config(SERVICE_NAME="other")},
        arguments=(*_USUAL, "--config_file", "other.json"),
    ),
    case(
        "a config.json that is the model's",
        ECHO,
        _SWAGGER,
        post(b"x"),
        files={"src/config.json": _config(hidden_size=768, architectures=["X"], SERVICE_NAME="mine")},
    ),
    case(
        "--access_control_allow_origins",
        ECHO,
        post(b"x", headers=_ORIGIN),
        arguments=(*_USUAL, "--access_control_allow_origins", "https://a.example,https://b.example"),
    ),
    case(
        "--access_control_allow_origins over AML_CORS_ORIGINS",
        ECHO,
        post(b"x", headers=_ORIGIN),
        settings={"AML_CORS_ORIGINS": "https://b.example"},
        arguments=(*_USUAL, "--access_control_allow_origins", "https://a.example"),
    ),
    case(
        "--model_dir",
        "import os\ndef run(data): return os.environ['AZUREML_MODEL_DIR']",
        post(b"x"),
        settings={"AZUREML_MODEL_DIR": "of the environment"},
        arguments=(*_USUAL, "--model_dir", "models"),
    ),
    case(
        "no version header",
        ECHO,
        post(b"x"),
        get("/"),
        settings={"SERVER_VERSION_LOG_RESPONSE_ENABLED": "false"},
    ),
    case(
        "the version header asked for",
        ECHO,
        post(b"x"),
        get("/"),
        get("/nowhere"),
        settings={"SERVER_VERSION_LOG_RESPONSE_ENABLED": "TRUE"},
    ),
    case(
        "the app root that is the working directory",
        "import os\ndef run(data): return os.path.basename(os.environ['AML_APP_ROOT'])[:4]",
        _SWAGGER,
        files={"config.json": _config(SERVICE_NAME="found")},
        settings={"AML_APP_ROOT": "{unset}"},
    ),
    case(
        "the app root that is another folder",
        "",
        post(b"x"),
        files={
            "app/src/score.py": "import os\n"
            "def init(): pass\n"
            "def run(data): return [os.path.basename(p) for p in (os.getcwd(), os.environ['AML_APP_ROOT'])]"
        },
        settings={"AML_APP_ROOT": "{root}/app"},
        arguments=("--entry_script", "app/src/score.py", "--port", "{port}"),
    ),
    case("an empty SERVICE_NAME", ECHO, _SWAGGER, settings={"SERVICE_NAME": ""}),
    case(
        "an absolute path of the script",
        ECHO,
        post(b"x"),
        arguments=("--entry_script", "./src/../src/score.py", "--port", "{port}"),
    ),
    case(
        "main.py with a configuration file",
        ECHO,
        _SWAGGER,
        post(b"x"),
        files={"main.py": f"{ECHO}[::-1]\ndef init(): pass\n", "own.json": _config(SERVICE_NAME="of main")},
        arguments=("--config_file", "own.json", "--port", "{port}"),
    ),
    case(
        "the script in the configuration file",
        ECHO,
        _SWAGGER,
        post(b"x"),
        files={"own.json": _config(SERVICE_NAME="own", AZUREML_ENTRY_SCRIPT="src/score.py")},
        arguments=("--config_file", "own.json", "--port", "{port}"),
    ),
    case(
        "CORS in config.json",
        ECHO,
        post(b"x", headers=_ORIGIN),
        files={"config.json": _config(AML_CORS_ORIGINS="https://a.example")},
    ),
    case(
        "a key of Application Insights that is none",
        ECHO,
        post(b"x"),
        settings={"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": "no key"},
    ),
    case("two workers", ECHO, post(b"x"), get("/"), arguments=(*_USUAL, "--worker_count", "2")),
    case("SCORING_TIMEOUT_MS", _SLEEPER, post(b"x"), settings={"SCORING_TIMEOUT_MS": "150"}),
    case(
        "SCORING_TIMEOUT_MS with a point",
        _SLEEPER,
        post(b"x"),
        settings={"SCORING_TIMEOUT_MS": "150.0"},
    ),
    case(
        "SCORING_TIMEOUT_MS with a point in config.json",
        _SLEEPER,
        post(b"x"),
        files={"config.json": _config(SCORING_TIMEOUT_MS=150.0)},
    ),
    case(
        "the environment that the server makes",
        """
        import os

        def run(data):
            names = ("AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR", "AZUREML_CONFIG_FILE")
            names += ("AML_APP_INSIGHTS_ENABLED", "AML_APP_INSIGHTS_KEY", "AML_CORS_ORIGINS")
            same = os.environ["SERVER_PORT"] == os.environ["HEALTH_PORT"]
            return [same, {name: os.environ.get(name) for name in names}]
        """,
        post(b"x"),
        settings={"HEALTH_PORT": "{unset}"},
    ),
    case(
        "the environment that flags make",
        """
        import os

        def run(data):
            names = ("AML_APP_INSIGHTS_ENABLED", "AML_APP_INSIGHTS_KEY", "AML_CORS_ORIGINS")
            names += ("AZUREML_ENTRY_SCRIPT", "AZUREML_CONFIG_FILE")
            return {name: os.environ.get(name) for name in names}
        """,
        post(b"x"),
        files={"own.json": _config(SERVICE_NAME="own")},
        arguments=(
            *(*_USUAL, "--config_file", "./own.json", "--access_control_allow_origins", "https://a.example"),
            *("--appinsights_instrumentation_key", "no key"),
        ),
    ),
    *(
        case(
            f"the environment of AML_APP_INSIGHTS_ENABLED={value}",
            "import os\ndef run(data): return os.environ['AML_APP_INSIGHTS_ENABLED']",
            post(b"x"),
            settings={"AML_APP_INSIGHTS_ENABLED": value},
        )
        for value in ("asdf", "true", "false")
    ),
    _odd("no timeout at all", settings={"SCORING_TIMEOUT_MS": "0"}),
    _odd("no worker timeout at all", settings={"WORKER_TIMEOUT": "0"}),
    _odd("a switch that is neither", settings={"AML_APP_INSIGHTS_ENABLED": "maybe"}),
    _odd("telemetry that goes nowhere", settings={"AML_APP_INSIGHTS_ENABLED": "true"}),
    _odd(
        "telemetry that goes nowhere, in config.json",
        files={"config.json": _config(AML_APP_INSIGHTS_ENABLED=True, EXTRA_KEY=False)},
    ),
    _odd("a level of logging that is none", settings={"AZUREML_LOG_LEVEL": "loud"}),
    _odd("no port of a debugger", settings={"AZUREML_DEBUG_PORT": "0"}),
    _odd("a collector that is no URL", settings={"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}),
    _odd("ports that are no numbers", settings={"SERVER_PORT": "http", "HEALTH_PORT": "tcp://10.0.0.1:80"}),
    _odd("one port for all", arguments=("--health_port", "{port}")),
    _odd(
        "keys of config.json that nobody reads there",
        files={
            "config.json": _config(
                SERVER_PORT="http",
                HEALTH_PORT="x",
                WORKER_COUNT="many",
                WORKER_TIMEOUT="long",
                AML_APP_ROOT="/nowhere",
                AML_APP_INSIGHTS_ENABLED="maybe",
            )
        },
        settings={"HEALTH_PORT": "{unset}"},
    ),
    _odd("--config_file that is missing", arguments=("--config_file", "absent.json")),
    _odd("AZUREML_CONFIG_FILE that is missing", settings={"AZUREML_CONFIG_FILE": "absent.json"}),
    _odd("--config_file that is empty", files={"e.json": ""}, arguments=("--config_file", "e.json")),
    _odd("an app root that is missing", settings={"AML_APP_ROOT": "/nowhere"}),
    _odd("a flag that nobody documents", arguments=("--rest",)),
)
