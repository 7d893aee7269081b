"""Settings: where each comes from, and the sentence for each that cannot be."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from gpu_inference_runtime.settings import Settings, SettingsError, load_settings
from gpu_inference_runtime.settings.sources import SOURCES


def test_defaults_are_those_of_the_bare_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings([], {}) == Settings(app_root=tmp_path)
    assert dataclasses.asdict(Settings()) == {
        "entry_script": None,
        "model_dir": None,
        "port": 5001,
        "health_port": 9090,
        "worker_count": 1,
        "script_python": None,
        "app_root": Path(),
        "config_file": None,
        "source_directory": None,
        "service_name": "ML service",
        "scoring_timeout_ms": 3_600_000,
        "worker_timeout_seconds": 300,
        "front_end": "none",
        "keys_directory": None,
        "token_issuer": None,
        "token_discovery_url": None,
        "token_audience": None,
        "token_allowed_subjects": (),
        "token_jwks_file": None,
        "token_jwks_url": None,
        "token_jwks_ca_file": None,
        "token_jwks_token_file": None,
        "max_concurrent_requests": 1,
        "max_queue_wait_ms": 500,
        "max_body_bytes": None,
        "drain_seconds": 0.0,
        "parallel_runs": 1,
        "batching": "none",
        "batch_max_rows": 256,
        "batch_max_bytes": 16_777_216,
        "array_dtype": "float32",
        "fast_json": False,
        "cors_origins": (),
        "service_path_prefix": "",
        "service_version": "1.0",
        "sends_server_version": True,
        "shows_docs": True,
        "log_format": "text",
        "log_level": "INFO",
        "debug_port": None,
        "tensorflow_v1": "auto",
        "model_data_directory": None,
        "model_data_file_mb": 16,
        "model_data_total_mb": 1024,
        "app_insights": False,
        "app_insights_key": None,
        "otlp_endpoint": None,
        "otlp_headers": None,
        "telemetry_service_name": None,
        "resource_attributes": None,
        "traces_ratio": 1.0,
        "health_port_was_given": False,
        "warnings": (),
    }


def test_credentials_are_not_shown_with_the_settings() -> None:
    environment = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=of-mine", "AML_APP_INSIGHTS_KEY": "also-of-mine"}
    assert "of-mine" not in repr(load_settings([], environment))


def test_the_file_takes_numbers_switches_and_null_as_json_has_them(tmp_path: Path) -> None:
    content = {
        "SERVER_PORT": 7001,
        "WORKER_COUNT": None,
        "GPU_INFERENCE_DOCS": False,
        "GPU_INFERENCE_TENSORFLOW_V1": True,
        "SCORING_TIMEOUT_MS": 6000.0,
        "hidden_size": 768,
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    settings = load_settings([], {"AML_APP_ROOT": str(tmp_path)})
    assert (settings.port, settings.worker_count, settings.shows_docs) == (7001, 1, False)
    assert (settings.scoring_timeout_ms, settings.tensorflow_v1) == (6000, "true")
    assert settings.warnings == ()


def test_each_flag_of_v1s_server_is_taken() -> None:
    flags = {
        "--entry_script": "/score.py",
        "--model_dir": "/model",
        "--port": "7001",
        "--health_port": "7002",
        "--worker_count": "2",
        "--appinsights_instrumentation_key": "0",
        "--access_control_allow_origins": "microsoft.com, bing.com",
    }
    settings = load_settings([part for flag in flags.items() for part in flag], {})
    assert (settings.entry_script, settings.model_dir) == ("/score.py", "/model")
    assert (settings.port, settings.health_port, settings.worker_count) == (7001, 7002, 2)
    assert (settings.app_insights, settings.app_insights_key) == (True, "0")
    assert settings.cors_origins == ("microsoft.com", "bing.com")


def test_help_lists_the_flags_and_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_settings(["--help"], {})
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"--{source.flag} " in shown for source in SOURCES if source.flag)
    assert "--config_file " in shown


def test_flags_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, root = tmp_path / "here", tmp_path / "root"
    for folder in (here, root):
        (folder / "keys").mkdir(parents=True)
        (folder / "my.json").write_text(json.dumps({"SERVICE_NAME": folder.name}))
    monkeypatch.chdir(here)
    environment = {
        "AML_APP_ROOT": str(root),
        "AZUREML_ENTRY_SCRIPT": "src/score.py",
        "AZUREML_CONFIG_FILE": "my.json",
        "GPU_INFERENCE_FRONT_END": "azureml",
        "GPU_INFERENCE_KEYS_DIR": "keys",
    }
    settings = load_settings([], environment)
    assert (settings.entry_script, settings.app_root) == ("src/score.py", root)
    assert (settings.keys_directory, settings.service_name) == (root / "keys", "root")
    flags = ["--entry_script", "src/score.py", "--model_dir", "model/", "--config_file", "my.json"]
    settings = load_settings(flags, environment)
    assert settings.entry_script == str(here / "src/score.py")
    assert (settings.model_dir, settings.service_name) == (str(here / "model"), "here")


def test_a_script_is_looked_for_in_the_app_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, root = tmp_path / "here", tmp_path / "root"
    here.mkdir()
    (root / "src").mkdir(parents=True)
    (root / "src/score.py").touch()
    (root / "src/config.json").write_text('{"SERVICE_NAME": "beside-it"}')
    monkeypatch.chdir(here)
    flags = ["--entry_script", "./src/score.py"]
    settings = load_settings(flags, {"AML_APP_ROOT": str(root)})
    assert (settings.entry_script, settings.service_name) == (str(root / "src/score.py"), "beside-it")
    # Where neither has it, the message names the folder that the flag is about.
    assert load_settings(["--entry_script", "no.py"], {"AML_APP_ROOT": str(root)}).entry_script == (
        str(here / "no.py")
    )
    (here / "src").mkdir()
    (here / "src/score.py").touch()
    assert load_settings(flags, {"AML_APP_ROOT": str(root)}).entry_script == str(here / "src/score.py")


def test_config_json_lies_in_the_app_root_or_beside_the_script(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/config.json").write_text('{"SERVICE_NAME": "beside-the-script"}')
    environment = {"AML_APP_ROOT": str(tmp_path), "AZUREML_ENTRY_SCRIPT": "src/score.py"}
    assert load_settings([], environment).service_name == "beside-the-script"
    (tmp_path / "config.json").touch()
    assert load_settings([], environment).service_name == "beside-the-script"
    (tmp_path / "config.json").write_text('{"SERVICE_NAME": "in-the-app-root"}')
    assert load_settings([], environment).service_name == "in-the-app-root"


def test_the_file_can_name_the_app_root_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root").mkdir()
    (tmp_path / "config.json").write_text('{"AML_APP_ROOT": "root"}')
    assert load_settings([], {}).app_root == tmp_path / "root"
    assert load_settings([], {"AML_APP_ROOT": str(tmp_path)}).app_root == tmp_path


def test_main_py_is_the_script_of_a_named_app_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.py").touch()
    root = {"AML_APP_ROOT": str(tmp_path)}
    assert load_settings([], root).entry_script == "main.py"
    assert load_settings([], {**root, "AZUREML_ENTRY_SCRIPT": "a.py"}).entry_script == "a.py"
    monkeypatch.chdir(tmp_path)
    assert load_settings([], {}).entry_script is None


def test_a_models_folder_has_no_slash_at_its_end() -> None:
    assert load_settings([], {"AZUREML_MODEL_DIR": "azureml-models/net/1//"}).model_dir == (
        "azureml-models/net/1"
    )
    assert load_settings([], {"AZUREML_MODEL_DIR": "/"}).model_dir == "/"


def test_an_instrumentation_key_without_a_collector_does_nothing() -> None:
    environment = {"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": "0"}
    assert not load_settings([], environment).sends_traces
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://collector:4318"
    assert load_settings([], environment).sends_traces


def test_an_empty_variable_counts_as_absent() -> None:
    assert load_settings([], {"SCORING_TIMEOUT_MS": "", "AZUREML_ENTRY_SCRIPT": ""}).entry_script is None


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SCORING_TIMEOUT_MS", "1.5", "SCORING_TIMEOUT_MS is '1.5' but must be a whole number of at least 1"),
        ("WORKER_TIMEOUT", "-5", "WORKER_TIMEOUT is '-5' but must be a whole number of at least 1."),
        ("AZUREML_DEBUG_PORT", "70000", "AZUREML_DEBUG_PORT is '70000' but must be a whole number from 1"),
        ("GPU_INFERENCE_DRAIN_SECONDS", "nan", "'nan' but must be a number of seconds of at least 0."),
        ("GPU_INFERENCE_DRAIN_SECONDS", "long", "'long' but must be a number of seconds of at least 0."),
        ("GPU_INFERENCE_FRONT_END", "fe", "GPU_INFERENCE_FRONT_END is 'fe' but must be azureml or none."),
        ("GPU_INFERENCE_TENSORFLOW_V1", "1", "V1 is '1' but must be auto, true or false."),
        ("GPU_INFERENCE_BATCHING", "yes", "is 'yes' but must be none, merge, schema or array."),
        ("GPU_INFERENCE_BATCH_MAX_ROWS", "0", "is '0' but must be a whole number of at least 1."),
        ("GPU_INFERENCE_BATCH_MAX_BYTES", "16M", "is '16M' but must be a whole number of at least 1."),
        ("GPU_INFERENCE_ARRAY_DTYPE", "int8", "must be float32, float64, uint8, int32 or int64."),
        ("GPU_INFERENCE_FAST_JSON", "orjson", "is 'orjson' but must be true or false."),
        ("GPU_INFERENCE_SCRIPT_PYTHON", "/nowhere", "is '/nowhere', which is not an executable program:"),
        ("GPU_INFERENCE_SCRIPT_PYTHON", "/usr", "is '/usr', which is not an executable program:"),
        ("GPU_INFERENCE_SCRIPT_PYTHON", "/etc/passwd", "which is not an executable program:"),
        ("WORKER_COUNT", "0", "WORKER_COUNT is '0' but must be a whole number of at least 1."),
        ("GPU_INFERENCE_LOG_FORMAT", "xml", "GPU_INFERENCE_LOG_FORMAT is 'xml' but must be text or json."),
        ("GPU_INFERENCE_TRACES_RATIO", "2", "GPU_INFERENCE_TRACES_RATIO is '2' but must be a number from 0"),
        ("GPU_INFERENCE_MODEL_DATA_TOTAL_MB", "20", "is 20, but must be at least twice"),
        ("AML_APP_ROOT", "/nowhere", "AML_APP_ROOT is '/nowhere', which is not a folder."),
        ("GPU_INFERENCE_KEYS_DIR", "/", "GPU_INFERENCE_KEYS_DIR is set but GPU_INFERENCE_FRONT_END is none"),
        ("AZUREML_CONFIG_FILE", "/nowhere.json", "The configuration file /nowhere.json does not exist."),
    ],
)
def test_a_bad_setting_is_named_in_one_sentence(variable: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings([], {variable: value})
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--port", "http"], "--port is 'http' but must be a whole number from 1 to 65535."),
        (["--worker_count", "0"], "--worker_count is '0' but must be a whole number of at least 1."),
        (["--config_file", "/nowhere.json"], "The configuration file /nowhere.json does not exist."),
        (["--colour", "red"], "Unrecognized arguments: --colour red; --help lists the flags."),
        (["--port"], "Argument --port: expected one argument; --help lists the flags."),
    ],
)
def test_a_bad_flag_is_named_in_one_sentence(flags: list[str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(flags, {})
    assert str(caught.value) == sentence


def test_in_a_cluster_the_two_ports_must_differ() -> None:
    environment = {"GPU_INFERENCE_FRONT_END": "azureml", "SERVER_PORT": "9090"}
    with pytest.raises(SettingsError, match="The port for scoring and the health port are both 9090; they"):
        load_settings([], environment)


def test_the_scripts_python_stays_the_link_that_it_is(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    environment = {"AML_APP_ROOT": str(tmp_path), "GPU_INFERENCE_SCRIPT_PYTHON": "python"}
    assert load_settings([], environment).script_python == str(tmp_path / "python")


def test_a_debugger_for_another_python_need_not_be_in_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "debugpy", raising=False)
    monkeypatch.setattr(sys, "meta_path", [])
    environment = {"AZUREML_DEBUG_PORT": "5678", "GPU_INFERENCE_SCRIPT_PYTHON": sys.executable}
    assert load_settings([], environment).debug_port == 5678


def test_a_debug_port_without_a_debugger_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "debugpy", raising=False)
    # Nothing can be found any more, whatever this environment has.
    monkeypatch.setattr(sys, "meta_path", [])
    with pytest.raises(SettingsError, match="the package debugpy, which connects the script to a debugger"):
        load_settings([], {"AZUREML_DEBUG_PORT": "5678"})


def test_a_folder_of_keys_must_exist() -> None:
    environment = {"GPU_INFERENCE_FRONT_END": "azureml", "GPU_INFERENCE_KEYS_DIR": "/nowhere"}
    with pytest.raises(SettingsError, match=r"GPU_INFERENCE_KEYS_DIR is '/nowhere', which is not a folder\."):
        load_settings([], environment)


@pytest.mark.parametrize(
    ("content", "complaint"), [("{", "cannot be read as JSON"), ("[1]", "must hold a JSON object")]
)
def test_a_configuration_file_that_is_no_json_object_is_refused(
    tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(SettingsError, match=complaint):
        load_settings([], {"AML_APP_ROOT": str(tmp_path)})


def test_only_the_front_end_limits_bodies_to_100_mb() -> None:
    assert Settings(front_end="azureml").body_limit == 100 * 1024 * 1024
    assert Settings().body_limit is None
    assert Settings(max_body_bytes=10).body_limit == 10


@pytest.mark.parametrize(("workers", "asked_for", "slots"), [(1, 1, 1), (2, 1, 2), (2, 3, 4), (3, 6, 6)])
def test_slots_are_those_asked_for_and_as_many_for_each_process(
    workers: int, asked_for: int, slots: int
) -> None:
    assert Settings(worker_count=workers, max_concurrent_requests=asked_for).slots == slots


def test_the_bare_server_never_refuses_what_waits() -> None:
    assert Settings().queue_wait_seconds is None
    assert Settings(front_end="azureml", max_queue_wait_ms=250).queue_wait_seconds == 0.25


def test_the_grace_period_covers_draining_queueing_and_scoring() -> None:
    settings = Settings(drain_seconds=10, max_queue_wait_ms=500, scoring_timeout_ms=60_000)
    assert settings.graceful_seconds == 75.5
