"""What v1's server started with does not end our start: it is warned of, and something sensible is used."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gpu_inference_runtime.settings import Settings, SettingsError, load_settings

_PORT = "must be a whole number from 1 to 65535"
_NUMBER = "must be a whole number of at least 1"
_LEVELS = "must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
_URL = "must be an http:// or https:// URL"
_NO_COLLECTOR = (
    "AML_APP_INSIGHTS_ENABLED is true but OTEL_EXPORTER_OTLP_ENDPOINT, the URL of the OpenTelemetry collector"
    " that traces go to, is not set: no trace is sent."
)
_ONE_PORT = (
    "The port for scoring and the health port are both {}: there is no /live, no /ready and no /metrics."
    " Set HEALTH_PORT to another port."
)


def warnings_of(environment: Mapping[str, str], *flags: str) -> tuple[str, ...]:
    return load_settings(flags, environment).warnings


@pytest.mark.parametrize(
    ("variable", "value", "field", "used", "warning"),
    [
        ("SERVER_PORT", "http", "port", 5001, f"SERVER_PORT is 'http' but {_PORT}: 5001 is used instead."),
        ("SERVER_PORT", "0", "port", 5001, f"SERVER_PORT is '0' but {_PORT}: 5001 is used instead."),
        # What Kubernetes adds for a Service of that name.
        (
            *("HEALTH_PORT", "tcp://10.0.0.1:80", "health_port", 9090),
            f"HEALTH_PORT is 'tcp://10.0.0.1:80' but {_PORT}: 9090 is used instead.",
        ),
        (
            *("SCORING_TIMEOUT_MS", "0", "scoring_timeout_ms", 3_600_000),
            f"SCORING_TIMEOUT_MS is '0' but {_NUMBER}: 3600000 is used instead.",
        ),
        (
            *("SCORING_TIMEOUT_MS", "-5", "scoring_timeout_ms", 3_600_000),
            f"SCORING_TIMEOUT_MS is '-5' but {_NUMBER}: 3600000 is used instead.",
        ),
        (
            *("WORKER_TIMEOUT", "0", "worker_timeout_seconds", 300),
            f"WORKER_TIMEOUT is '0' but {_NUMBER}: 300 is used instead.",
        ),
        (
            *("AZUREML_LOG_LEVEL", "loud", "log_level", "INFO"),
            f"AZUREML_LOG_LEVEL is 'loud' but {_LEVELS}: INFO is used instead.",
        ),
        (
            *("AML_APP_INSIGHTS_ENABLED", "asdf", "app_insights", False),
            "AML_APP_INSIGHTS_ENABLED is 'asdf' but must be true or false: false is used instead.",
        ),
        (
            *("OTEL_EXPORTER_OTLP_ENDPOINT", "me:secret@collector:4317", "otlp_endpoint", None),
            f"OTEL_EXPORTER_OTLP_ENDPOINT is 'me:secret@collector:4317' but {_URL}: it is ignored.",
        ),
        (
            *("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://me:secret@collector", "otlp_endpoint", None),
            f"OTEL_EXPORTER_OTLP_ENDPOINT is 'ftp://…@collector' but {_URL}: it is ignored.",
        ),
        ("AML_APP_INSIGHTS_ENABLED", "true", "sends_traces", False, _NO_COLLECTOR),
    ],
)
def test_a_variable_that_v1_took_no_notice_of_is_warned_of(
    variable: str, value: str, field: str, used: object, warning: str
) -> None:
    settings = load_settings([], {variable: value})
    assert getattr(settings, field) == used
    assert settings.warnings == (warning,)


@pytest.mark.parametrize(
    ("variable", "value", "instead"),
    [
        ("SERVER_PORT", "http", "5001 is used instead."),
        ("HEALTH_PORT", 70000, "9090 is used instead."),
        ("WORKER_COUNT", "many", "1 is used instead."),
        ("WORKER_TIMEOUT", "long", "300 is used instead."),
        ("AML_APP_INSIGHTS_ENABLED", "maybe", "false is used instead."),
        ("AML_APP_INSIGHTS_ENABLED", True, "no trace is sent."),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "it is ignored."),
    ],
)
def test_a_key_of_the_file_that_v1_never_looked_for_is_warned_of(
    variable: str, value: object, instead: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({variable: value}))
    (warning,) = warnings_of({"AML_APP_ROOT": str(tmp_path)})
    assert warning.startswith(f"{variable} ")
    assert warning.endswith(f": {instead}")


@pytest.mark.parametrize("variable", ["SCORING_TIMEOUT_MS", "AZUREML_DEBUG_PORT", "GPU_INFERENCE_BATCHING"])
def test_a_key_of_the_file_that_v1_read_must_be_right(variable: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({variable: "wrong"}))
    with pytest.raises(SettingsError, match=f"{variable} in the configuration file is 'wrong' but must be"):
        load_settings([], {"AML_APP_ROOT": str(tmp_path)})


def test_the_file_counts_where_the_variable_cannot(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"SERVER_PORT": 7001}')
    settings = load_settings([], {"AML_APP_ROOT": str(tmp_path), "SERVER_PORT": "http"})
    assert settings.port == 7001
    assert settings.warnings == (f"SERVER_PORT is 'http' but {_PORT}: 7001 is used instead.",)


def test_what_v1_took_for_false_is_false_whatever_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"AML_APP_INSIGHTS_ENABLED": true}')
    environment = {"AML_APP_ROOT": str(tmp_path), "AML_APP_INSIGHTS_ENABLED": "asdf"}
    assert not load_settings([], environment).app_insights


def test_the_flag_with_a_key_turns_telemetry_on() -> None:
    settings = load_settings(["--appinsights_instrumentation_key", "0"], {"AML_APP_INSIGHTS_ENABLED": "asdf"})
    assert settings.app_insights
    assert settings.warnings == ()


@pytest.mark.parametrize("environment", [{"AZUREML_DEBUG_PORT": "0"}, {"SCORING_TIMEOUT_MS": "60000.0"}])
def test_what_v1_took_in_its_own_way_is_taken_so_without_a_word(environment: dict[str, str]) -> None:
    settings = load_settings(["--rest"], environment)
    assert settings.debug_port is None
    assert settings.scoring_timeout_ms in (60_000, 3_600_000)
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("flags", "environment", "port"),
    [
        ([], {"SERVER_PORT": "9090"}, 9090),
        (["--port", "9090"], {}, 9090),
        # As v1's server named it in its log: one port for all.
        ([], {"HEALTH_PORT": "5001"}, 5001),
        (["--health_port", "7001", "--port", "7001"], {}, 7001),
    ],
)
def test_with_one_port_the_bare_server_has_no_health_port(
    flags: list[str], environment: dict[str, str], port: int
) -> None:
    settings = load_settings(flags, environment)
    assert (settings.port, settings.management_port) == (port, None)
    assert settings.warnings == (_ONE_PORT.format(port),)


def test_it_is_known_whether_somebody_asked_for_the_health_port(tmp_path: Path) -> None:
    assert not load_settings([], {}).health_port_was_given
    assert not load_settings([], {"HEALTH_PORT": "none"}).health_port_was_given
    assert load_settings([], {"HEALTH_PORT": "9090"}).health_port_was_given
    assert load_settings(["--health_port", "9090"], {}).health_port_was_given
    (tmp_path / "config.json").write_text('{"HEALTH_PORT": 9090}')
    assert load_settings([], {"AML_APP_ROOT": str(tmp_path)}).health_port_was_given
    assert Settings(health_port=8000).management_port == 8000


@pytest.mark.parametrize("content", [None, ""])
def test_an_absent_or_empty_configuration_file_is_no_error(content: str | None, tmp_path: Path) -> None:
    named = tmp_path / "named.json"
    if content is not None:
        named.write_text(content)
    (tmp_path / "config.json").write_text('{"SERVICE_NAME": "found"}')
    environment = {"AML_APP_ROOT": str(tmp_path), "AZUREML_ENTRY_SCRIPT": "score.py"}
    what = "does not exist" if content is None else "is empty"
    for flags, more in ((["--config_file", str(named)], {}), ([], {"AZUREML_CONFIG_FILE": "named.json"})):
        settings = load_settings(flags, environment | more)
        assert settings.service_name == "found"
        assert settings.warnings == (
            f"The configuration file {named} {what}: the server goes on without it.",
        )


def test_main_py_is_the_script_also_where_the_named_file_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").touch()
    assert load_settings(["--config_file", "absent.json"], {}).entry_script == "main.py"


def test_an_absent_app_root_is_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "score.py").touch()
    settings = load_settings(["--entry_script", "score.py"], {"AML_APP_ROOT": "/nowhere"})
    assert (settings.app_root, settings.entry_script) == (tmp_path, str(tmp_path / "score.py"))
    assert settings.warnings == (
        f"AML_APP_ROOT is '/nowhere', which is not a folder: the working directory, {tmp_path}, is used"
        " instead.",
    )


def test_an_absent_app_root_without_a_script_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").touch()
    with pytest.raises(SettingsError, match=r"^AML_APP_ROOT is '/nowhere', which is not a folder\.$"):
        load_settings([], {"AML_APP_ROOT": "/nowhere"})


def test_an_app_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    environment = {"AML_APP_ROOT": str(tmp_path / "root"), "AZUREML_ENTRY_SCRIPT": "/score.py"}
    with pytest.raises(SettingsError, match="which is not a folder"):
        load_settings([], environment)
