"""Settings: where each comes from, and the sentence for each that cannot be."""

import dataclasses
import json
from pathlib import Path

import pytest

from gpu_inference_runtime.settings import Settings, SettingsError, load_settings


def test_defaults_are_those_of_the_bare_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings([], {}) == Settings(app_root=tmp_path)
    assert dataclasses.asdict(Settings()) == {
        "entry_script": None,
        "model_dir": None,
        "port": 5001,
        "health_port": 9090,
        "worker_count": 1,
        "app_root": Path(),
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
        "cors_origins": (),
        "service_path_prefix": "",
        "service_version": "1.0",
        "sends_server_version": True,
        "shows_docs": True,
        "log_format": "text",
        "tensorflow_v1": False,
        "model_data_directory": None,
        "model_data_file_mb": 16,
        "model_data_total_mb": 1024,
        "app_insights": False,
        "otlp_endpoint": None,
        "otlp_headers": None,
        "telemetry_service_name": None,
        "resource_attributes": None,
        "traces_ratio": 1.0,
    }


def test_the_collectors_headers_are_not_shown_with_the_settings() -> None:
    assert "of-mine" not in repr(load_settings([], {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=of-mine"}))


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps(
            {"SERVER_PORT": 7001, "HEALTH_PORT": "7002", "SCORING_TIMEOUT_MS": 7003, "WORKER_COUNT": None}
        )
    )
    environment = {"AML_APP_ROOT": str(tmp_path), "SERVER_PORT": "6001", "HEALTH_PORT": "6002"}
    settings = load_settings(["--port", "8001"], environment)
    assert (settings.port, settings.health_port, settings.scoring_timeout_ms) == (8001, 6002, 7003)
    assert settings.worker_count == 1


def test_config_json_beside_the_script_is_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/config.json").write_text('{"SERVICE_NAME": "from-file", "hidden_size": 768}')
    settings = load_settings(["--entry_script", "src/score.py"], {"AML_APP_ROOT": str(tmp_path)})
    assert settings.service_name == "from-file"


def test_an_empty_variable_counts_as_absent() -> None:
    assert load_settings([], {"SCORING_TIMEOUT_MS": "", "AZUREML_ENTRY_SCRIPT": ""}).entry_script is None


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SERVER_PORT", "http", "SERVER_PORT is 'http' but must be a whole number from 1 to 65535."),
        ("SERVER_PORT", "65536", "SERVER_PORT is '65536' but must be a whole number from 1 to 65535."),
        ("SCORING_TIMEOUT_MS", "0", "SCORING_TIMEOUT_MS is '0' but must be a whole number of at least 1."),
        ("GPU_INFERENCE_DRAIN_SECONDS", "nan", "'nan' but must be a number of seconds of at least 0."),
        ("GPU_INFERENCE_DRAIN_SECONDS", "long", "'long' but must be a number of seconds of at least 0."),
        ("GPU_INFERENCE_FRONT_END", "fe", "GPU_INFERENCE_FRONT_END is 'fe' but must be azureml or none."),
        ("GPU_INFERENCE_TENSORFLOW_V1", "1", "GPU_INFERENCE_TENSORFLOW_V1 is '1' but must be true or false."),
        ("WORKER_COUNT", "2", "The worker count is 2 but one process serves one model here"),
        ("HEALTH_PORT", "5001", "The port for scoring and the health port are both 5001"),
        ("AML_APP_ROOT", "/nowhere", "AML_APP_ROOT is '/nowhere', which is not a folder."),
        ("GPU_INFERENCE_KEYS_DIR", "/", "GPU_INFERENCE_KEYS_DIR is set but GPU_INFERENCE_FRONT_END is none"),
        ("AZUREML_CONFIG_FILE", "/nowhere.json", "The configuration file /nowhere.json does not exist."),
    ],
)
def test_a_bad_setting_is_named_in_one_sentence(variable: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings([], {variable: value})
    assert sentence in str(caught.value)


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


def test_the_front_end_limits_bodies_to_100_mb_and_the_bare_server_does_not() -> None:
    assert Settings(front_end="azureml").body_limit == 100 * 1024 * 1024
    assert Settings().body_limit is None
    assert Settings(max_body_bytes=10).body_limit == 10


def test_the_bare_server_never_refuses_what_waits() -> None:
    assert Settings().queue_wait_seconds is None
    assert Settings(front_end="azureml", max_queue_wait_ms=250).queue_wait_seconds == 0.25


def test_the_grace_period_covers_draining_queueing_and_scoring() -> None:
    settings = Settings(drain_seconds=10, max_queue_wait_ms=500, scoring_timeout_ms=60_000)
    assert settings.graceful_seconds == 75.5


TOKENS = {
    "GPU_INFERENCE_FRONT_END": "azureml",
    "GPU_INFERENCE_TOKEN_ISSUER": "https://issuer.example",
    "GPU_INFERENCE_TOKEN_AUDIENCE": "mnist",
    "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": '["one, two", "three"]',
    "GPU_INFERENCE_TOKEN_JWKS_FILE": "/keys/jwks.json",
}


def test_tokens_are_asked_for_when_it_is_known_where_the_issuers_keys_are() -> None:
    settings = load_settings([], TOKENS)
    assert settings.asks_for_token
    assert settings.token_allowed_subjects == ("one, two", "three")
    assert settings.token_jwks_file == Path("/keys/jwks.json")
    assert not Settings().asks_for_token


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"GPU_INFERENCE_FRONT_END": ""},
            "GPU_INFERENCE_TOKEN_ISSUER is set but GPU_INFERENCE_FRONT_END is none, which asks for no token",
        ),
        (
            {"GPU_INFERENCE_KEYS_DIR": "/"},
            "GPU_INFERENCE_KEYS_DIR and GPU_INFERENCE_TOKEN_ISSUER are both set: keep one.",
        ),
        (
            {"GPU_INFERENCE_TOKEN_JWKS_FILE": ""},
            "Exactly one of GPU_INFERENCE_TOKEN_JWKS_FILE and GPU_INFERENCE_TOKEN_JWKS_URL must be set",
        ),
        (
            {"GPU_INFERENCE_TOKEN_JWKS_URL": "https://issuer.example/keys"},
            "Exactly one of GPU_INFERENCE_TOKEN_JWKS_FILE and GPU_INFERENCE_TOKEN_JWKS_URL must be set",
        ),
        (
            {"GPU_INFERENCE_TOKEN_ISSUER": ""},
            "Exactly one of GPU_INFERENCE_TOKEN_ISSUER and GPU_INFERENCE_TOKEN_DISCOVERY_URL must be set",
        ),
        (
            {"GPU_INFERENCE_TOKEN_AUDIENCE": ""},
            "GPU_INFERENCE_TOKEN_ISSUER is set but GPU_INFERENCE_TOKEN_AUDIENCE is not: set it too.",
        ),
        (
            {"GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": ""},
            "GPU_INFERENCE_TOKEN_ISSUER is set but GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS is not: set it too.",
        ),
        (
            {"GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": "one"},
            "is 'one' but must be a JSON list of at least one text",
        ),
        ({"GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": "[]"}, "must be a JSON list of at least one text"),
        ({"GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": '[""]'}, "must be a JSON list of at least one text"),
        (
            {"GPU_INFERENCE_TOKEN_JWKS_FILE": "", "GPU_INFERENCE_TOKEN_JWKS_URL": "http://issuer.example"},
            "is 'http://issuer.example' but must be a URL that begins with https://.",
        ),
    ],
)
def test_half_of_a_token_check_is_refused(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings([], TOKENS | changes)
    assert sentence in str(caught.value)
