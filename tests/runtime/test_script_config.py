"""What script processes are told of the settings: all that their package knows, and no default of its own."""

import dataclasses
from pathlib import Path

import pytest

from gpu_inference_runtime.settings import Settings
from gpu_inference_runtime.settings.definition import path_prefix, script_config
from gpu_inference_script.config import Config

# None of them a default.
TOLD = Settings(
    entry_script="src/score.py",
    model_dir="azureml-models/net/1",
    app_root=Path("/app"),
    source_directory="src",
    service_name="mnist",
    scoring_timeout_ms=1000,
    front_end="azureml",
    parallel_runs=2,
    batching="merge",
    batch_max_rows=3,
    batch_max_bytes=4,
    array_dtype="uint8",
    fast_json=True,
    service_version="2.0",
    log_format="json",
    log_level="DEBUG",
    debug_port=5678,
    tensorflow_v1="false",
    model_data_directory=Path("/rows"),
    model_data_file_mb=5,
    model_data_total_mb=50,
    app_insights=True,
    otlp_endpoint="http://collector:4318",
)


def test_each_setting_that_the_script_package_knows_is_told() -> None:
    told = vars(script_config(TOLD))
    names = {field.name for field in dataclasses.fields(Settings)}
    for name, value in told.items():
        if name in names:
            mine = getattr(TOLD, name)
            assert value == (str(mine) if isinstance(mine, Path) else mine), name
    assert set(told) - names == {"path_prefix", "traces"}
    assert told["traces"] is True
    assert told["path_prefix"] == "/api/v1/service/mnist"
    unset = vars(Config(app_root="."))
    assert [name for name, value in told.items() if value == unset[name]] == []


def test_both_sides_have_the_same_defaults() -> None:
    assert vars(script_config(Settings())) == vars(Config(app_root="."))


def test_what_is_told_crosses_as_text() -> None:
    config = script_config(TOLD)
    assert vars(Config.from_json(config.to_json())) == vars(config)


@pytest.mark.parametrize(
    ("settings", "prefix"),
    [
        (Settings(service_name="mnist"), ""),
        (Settings(service_name="two words", front_end="azureml"), "/api/v1/service/two%20words"),
        (Settings(service_path_prefix="/own/path/", front_end="azureml"), "/own/path"),
        (Settings(service_path_prefix="own"), "/own"),
    ],
)
def test_paths_in_the_specification_begin_as_clients_ask_for_them(settings: Settings, prefix: str) -> None:
    assert path_prefix(settings) == prefix
