"""Settings from the command line, the environment and config.json (contract §3.8), as answers show them."""

import json

from tests.runtime.differential.cases.case import case, get, post
from tests.runtime.differential.cases.routes import ECHO

_SWAGGER = get("/swagger.json")
_SLEEPER = "import time\ndef run(data):\n    time.sleep(20)"
_ORIGIN = (("Origin", "https://a.example"),)
_USUAL = ("--entry_script", "src/score.py", "--port", "{port}")


def _config(**values: object) -> str:
    return json.dumps(values)


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
)
