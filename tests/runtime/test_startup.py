"""The start: where the server stands afterwards, and what the log's first lines tell."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from tests.ports import free_ports
from tests.runtime.server_process import PATIENCE_SECONDS, StartServer

from gpu_inference_runtime.process import startup
from gpu_inference_runtime.process.startup import (
    gpu_devices,
    ignored_variables,
    log_startup,
    script_environment,
)
from gpu_inference_runtime.settings import load_settings

WHERE = """
import json, os, sys
import helper, of_the_root
def init(): pass
def run(data):
    with open("src/extra.json") as file:
        extra = json.load(file)
    return {
        "cwd": os.getcwd(),
        "path": sys.path,
        "extra": extra,
        "helper": helper.NAME,
        "json": json.__file__,
        **{name: os.environ.get(name) for name in ("AML_APP_ROOT", "AZUREML_MODEL_DIR")},
    }
"""


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_script_starts_in_the_app_root_and_finds_its_folder(
    start_server: StartServer, tmp_path: Path
) -> None:
    put(
        tmp_path,
        src__score_DOT_py=WHERE,
        src__helper_DOT_py="NAME = 'of the source folder'",
        src__extra_DOT_json='{"read": "by its relative path"}',
        of_the_root_DOT_py="",
        # A name of the standard library: it must hide nothing.
        json_DOT_py="raise RuntimeError",
    )
    server = start_server(
        None,
        AML_APP_ROOT=str(tmp_path),
        AZUREML_SOURCE_DIRECTORY="src",
        AZUREML_ENTRY_SCRIPT="src/score.py",
        AZUREML_MODEL_DIR="azureml-models/net/1/",
    )
    server.wait_ready()
    told = server.score("x").json()
    assert told["cwd"] == told["AML_APP_ROOT"] == str(tmp_path)
    assert told["AZUREML_MODEL_DIR"] == "azureml-models/net/1"
    assert (told["extra"], told["helper"]) == ({"read": "by its relative path"}, "of the source folder")
    # Only the stand-ins for Azure ML's packages come after them.
    assert told["path"][-3:-1] == [str(tmp_path), str(tmp_path / "src")]
    assert Path(told["json"]).parts[-2:] == ("json", "__init__.py")


def test_the_command_serves_any_folder_by_flags_alone(tmp_path: Path) -> None:
    put(tmp_path, code__score_DOT_py="import os\ndef init(): pass\ndef run(d): return os.environ")
    put(tmp_path, here__settings_DOT_json='{"SERVICE_NAME": "of-the-file"}')
    port, health_port = map(str, free_ports(2))
    command = [
        *(str(Path(sys.executable).parent / "gpu-inference-server"), "--entry_script", "../code/score.py"),
        *("--model_dir", "../model", "--port", port, "--health_port", health_port, "--worker_count", "1"),
        *("--access_control_allow_origins", "*", "--config_file", "settings.json"),
        *("--appinsights_instrumentation_key", "00000000-0000-0000-0000-000000000000"),
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AML_", "AZUREML_"))
    }
    log = tmp_path / "log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command, cwd=tmp_path / "here", env=environment, stdout=stream, stderr=stream
        )
    try:
        while "User's init has completed" not in log.read_text():
            assert server.poll() is None, log.read_text()
        path = f"http://127.0.0.1:{port}/api/v1/service/of-the-file/score"
        told = requests.post(path, data="x", timeout=PATIENCE_SECONDS).json()
        assert told["AML_APP_ROOT"] == str(tmp_path / "here")
        assert told["AZUREML_ENTRY_SCRIPT"] == str(tmp_path / "code/score.py")
        assert told["AZUREML_MODEL_DIR"] == str(tmp_path / "model")
        assert told["AZUREML_CONFIG_FILE"] == str(tmp_path / "here/settings.json")
        assert (told["SERVER_PORT"], told["HEALTH_PORT"]) == (port, health_port)
        assert (told["AML_APP_INSIGHTS_ENABLED"], told["AML_CORS_ORIGINS"]) == ("true", "*")
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_SECONDS) == 0
    finally:
        server.kill()
        server.wait()


def test_scripts_find_the_variables_that_v1_set_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert script_environment(load_settings([], {})) == {
        "AML_APP_ROOT": str(tmp_path),
        "SERVER_PORT": "5001",
        "HEALTH_PORT": "5001",
        "AML_APP_INSIGHTS_ENABLED": "false",
    }
    given = script_environment(load_settings([], {"SERVER_PORT": "http", "HEALTH_PORT": "7002"}))
    assert (given["SERVER_PORT"], given["HEALTH_PORT"]) == ("5001", "7002")


KEY = "00000000-aaaa-BBBB-cccc-000000000000"


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({"AML_APP_INSIGHTS_ENABLED": "true"}, "false"),
        ({"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": "no key"}, "false"),
        ({"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": KEY}, "true"),
        ({"AML_APP_INSIGHTS_ENABLED": "asdf", "AML_APP_INSIGHTS_KEY": KEY}, "false"),
        ({"AML_APP_INSIGHTS_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector"}, "true"),
    ],
)
def test_scripts_are_told_telemetry_only_where_it_goes_somewhere(
    environment: dict[str, str], seen: str
) -> None:
    assert script_environment(load_settings([], environment))["AML_APP_INSIGHTS_ENABLED"] == seen


def test_v1s_configuration_with_telemetry_starts_and_scores(start_server: StartServer) -> None:
    server = start_server(
        "import os\ndef init(): pass\ndef run(data): return os.environ['AML_APP_INSIGHTS_ENABLED']",
        AML_APP_INSIGHTS_ENABLED="true",
    )
    server.wait_ready()
    assert server.score("x").json() == "false"
    assert "AML_APP_INSIGHTS_ENABLED is true but OTEL_EXPORTER_OTLP_ENDPOINT" in server.log


def announced(caplog: pytest.LogCaptureFixture, environment: Mapping[str, str]) -> list[str]:
    caplog.clear()
    caplog.set_level("INFO")
    log_startup(load_settings([], environment), environment)
    return [record.getMessage() for record in caplog.records]


def test_the_first_log_lines_tell_script_settings_and_routes(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"SCORING_TIMEOUT_MS": 5000, "SERVER_PORT": 5001}))
    lines = announced(
        caplog,
        {
            "AML_APP_ROOT": str(tmp_path),
            "AZUREML_ENTRY_SCRIPT": "src/score.py",
            "SERVICE_NAME": "mnist",
            "AML_CORS_ORIGINS": "https://a.example,https://b.example",
            "GPU_INFERENCE_DOCS": "false",
        },
    )
    assert re.fullmatch(r"gpu-inference-server [\d.]+, Python [\d.]+", lines[0])
    assert lines[1:4] == [
        "Entry script: src/score.py",
        f"App root and working directory: {tmp_path}",
        f"Configuration file: {tmp_path}/config.json",
    ]
    assert [line for line in lines if line.startswith("Setting ")] == [
        "Setting SERVICE_NAME: mnist",
        "Setting SCORING_TIMEOUT_MS: 5000",
        "Setting AML_CORS_ORIGINS: https://a.example, https://b.example",
        "Setting GPU_INFERENCE_DOCS: False",
    ]
    assert lines[-3:] == [
        "Port 5001: /, /score, /swagger.json",
        "Port 5001: /api/v1/service/mnist/score and .../swagger.json",
        "Port 9090: /live, /ready, /metrics",
    ]
    assert announced(caplog, {})[1] == "Entry script: none: the built-in one returns what it receives"


def test_what_is_tolerated_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment = {"SERVER_PORT": "9090", "AZUREML_LOG_LEVEL": "loud"}
    lines = announced(caplog, environment)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == list(load_settings([], environment).warnings)
    assert len(warned) == 2
    assert lines[-1] == "Port 9090: /api/v1/service/ML service/score and .../swagger.json"


def test_the_routes_of_the_first_lines_are_there(start_server: StartServer) -> None:
    server = start_server()
    server.wait_ready()
    named = re.findall(r"gpu_inference - Port (\d+): (.*)", server.log)
    assert [int(port) for port, _ in named] == [server.port, server.port, server.health_port]
    for port, text in named:
        for path in re.findall(r"(?<![.\w])/[\w/.]*", text):
            url = f"http://127.0.0.1:{port}{path}"
            assert requests.get(url, timeout=PATIENCE_SECONDS).status_code == 200, url


def test_the_first_lines_name_no_credential(caplog: pytest.LogCaptureFixture) -> None:
    lines = announced(
        caplog,
        {
            "AML_APP_INSIGHTS_ENABLED": "true",
            "AML_APP_INSIGHTS_KEY": "very-secret",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=very-secret",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:very-secret@collector:4318",
        },
    )
    assert "very-secret" not in "".join(lines)
    assert "Setting OTEL_EXPORTER_OTLP_HEADERS: (given, not shown)" in lines
    assert "Setting OTEL_EXPORTER_OTLP_ENDPOINT: https://…@collector:4318" in lines


# The variables of v1's server that do nothing here.
WITHOUT_EFFECT = {
    "WORKER_PRELOAD": "true",
    "SEPERATE_HEALTH_ENDPOINT": "true",
    "APP_INSIGHTS_LOG_RESPONSE_ENABLED": "true",
    "WORKSPACE_NAME": "w",
    "HTTP_X_MS_SERVER_VERSION": "azmlinfsrv/1.5.1",
    "AML_MODEL_DC_STORAGE": "{}",
    "AML_MODEL_DC_EVENT_HUB": "{}",
    "AML_MODEL_DC_EVENT_HUB_ENABLED": "false",
    "GUNICORN_CMD_ARGS": "--threads 2",
    "AML_DBG_MODEL_INFO": "{}",
    "AML_DBG_RESOURCE_INFO": "{}",
}


def names_ignored(environment: Mapping[str, str]) -> list[str]:
    return [name for name, _ in ignored_variables(load_settings([], environment), environment)]


def test_every_variable_of_v1_without_effect_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert names_ignored(WITHOUT_EFFECT) == list(WITHOUT_EFFECT)
    assert names_ignored(dict.fromkeys(WITHOUT_EFFECT, "")) == []
    assert (
        "WORKER_PRELOAD is ignored: each process loads the script by itself, because a GPU cannot be used"
        " across a fork." in announced(caplog, WITHOUT_EFFECT)
    )


def test_an_instrumentation_key_is_named_with_what_to_set_instead() -> None:
    environment = {"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": "very-secret"}
    ((name, why),) = ignored_variables(load_settings([], environment), environment)
    assert name == "AML_APP_INSIGHTS_KEY"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in why
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4318"
    ((name, why),) = ignored_variables(load_settings([], environment), environment)
    assert (name, why) == ("AML_APP_INSIGHTS_KEY", "the collector has the key of Application Insights")


@pytest.mark.parametrize("variable", ["AML_MDC_STORAGE_ENABLED", "AML_MODEL_DC_STORAGE_ENABLED"])
def test_data_collection_without_a_folder_is_named(variable: str, tmp_path: Path) -> None:
    assert names_ignored({variable: "True"}) == [variable]
    assert names_ignored({variable: "false"}) == []
    assert names_ignored({variable: "true", "GPU_INFERENCE_MODEL_DATA_DIR": str(tmp_path)}) == []


def test_a_misspelt_setting_is_named_but_no_kubernetes_variable() -> None:
    environment = {
        "GPU_INFERENCE_DRIAN_SECONDS": "5",
        "GPU_INFERENCE_DRAIN_SECONDS": "5",
        "GPU_INFERENCE_SERVICE_HOST": "10.0.0.1",
        "GPU_INFERENCE_PORT": "tcp://10.0.0.1:80",
        "GPU_INFERENCE_MNIST_PORT_80_TCP_ADDR": "10.0.0.1",
        "GPU_INFERENCE_MNIST_SERVICE_PORT_HTTP": "80",
    }
    assert names_ignored(environment) == ["GPU_INFERENCE_DRIAN_SECONDS"]


def test_several_models_in_one_gpus_memory_are_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This machine's own devices must not matter.
    for devices, warned in ((["nvidia0"], True), ([], False)):
        monkeypatch.setattr(startup, "gpu_devices", lambda _, devices=devices: devices)
        lines = announced(caplog, {"WORKER_COUNT": "2"})
        assert any("each process loads the model into the GPU's memory" in line for line in lines) == warned
    monkeypatch.setattr(startup, "gpu_devices", lambda _: ["nvidia0"])
    assert "GPU" not in "".join(announced(caplog, {}))


def test_gpus_are_known_by_their_device_files(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "kfd", "null"):
        (tmp_path / name).touch()
    assert gpu_devices(tmp_path) == ["kfd", "nvidia0", "nvidia1"]
