"""Each setting alone: the command line over the environment over config.json over the default."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from gpu_inference_runtime.settings import Settings, SettingsError, load_settings, values
from gpu_inference_runtime.settings.sources import SOURCES, Source

# For each setting three values that it can have: on the command line or in the environment, and in the file.
THREE: dict[str, tuple[Any, Any, Any]] = {
    "AZUREML_ENTRY_SCRIPT": ("/a/score.py", "/b/score.py", "/c/score.py"),
    "AZUREML_MODEL_DIR": ("/a", "/b", "/c"),
    "SERVER_PORT": (8001, 8002, 8003),
    "HEALTH_PORT": (8001, 8002, 8003),
    "WORKER_COUNT": (2, 3, 4),
    "GPU_INFERENCE_SCRIPT_PYTHON": ("/bin/cat", "/bin/ls", "/bin/sh"),
    "GPU_INFERENCE_BATCHING": ("merge", "schema", "array"),
    "GPU_INFERENCE_ARRAY_DTYPE": ("float64", "uint8", "int32"),
    "GPU_INFERENCE_TENSORFLOW_V1": ("true", "auto", "false"),
    "GPU_INFERENCE_FRONT_END": ("azureml", "none", "azureml"),
    "GPU_INFERENCE_LOG_FORMAT": ("json", "text", "json"),
    "AZUREML_LOG_LEVEL": ("DEBUG", "ERROR", "WARNING"),
    "AML_CORS_ORIGINS": (("a", "b"), ("c",), ("d", "e")),
    "GPU_INFERENCE_MODEL_DATA_FILE_MB": (3, 4, 5),
    "GPU_INFERENCE_DRAIN_SECONDS": (1.5, 2.5, 3.5),
    "GPU_INFERENCE_TRACES_RATIO": (0.1, 0.2, 0.3),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ("http://a:1", "http://b:2", "http://c:3"),
}
SWITCHES = (
    *("SERVER_VERSION_LOG_RESPONSE_ENABLED", "GPU_INFERENCE_DOCS", "GPU_INFERENCE_FAST_JSON"),
    "AML_APP_INSIGHTS_ENABLED",
)
# Those that are only taken together with others, which this gives them, or with what must be installed.
_TOKENS = {
    "GPU_INFERENCE_FRONT_END": "azureml",
    "GPU_INFERENCE_TOKEN_ISSUER": "https://issuer.example",
    "GPU_INFERENCE_TOKEN_AUDIENCE": "mnist",
    "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": '["one"]',
    "GPU_INFERENCE_TOKEN_JWKS_FILE": "/keys/jwks.json",
}
# Of these two each stands in the place of another.
_INSTEAD = {
    "GPU_INFERENCE_TOKEN_DISCOVERY_URL": "GPU_INFERENCE_TOKEN_ISSUER",
    "GPU_INFERENCE_TOKEN_JWKS_URL": "GPU_INFERENCE_TOKEN_JWKS_FILE",
}
COMPANY = {
    "GPU_INFERENCE_KEYS_DIR": {"GPU_INFERENCE_FRONT_END": "azureml"},
    "AML_APP_INSIGHTS_ENABLED": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
}


def company_of(source: Source) -> dict[str, str]:
    if source.field.startswith("token_"):
        left_out = {source.variable, _INSTEAD.get(source.variable)}
        return {name: value for name, value in _TOKENS.items() if name not in left_out}
    return COMPANY.get(source.variable, {})


def three_values(source: Source, folder: Path) -> tuple[Any, Any, Any]:
    if source.variable in THREE:
        return THREE[source.variable]
    if source.variable in SWITCHES:
        return False, True, False
    if source.parse is Path:
        for name in "abc":
            (folder / name).mkdir()
        return folder / "a", folder / "b", folder / "c"
    if source.parse is values.https_url:
        return "https://a.example", "https://b.example", "https://c.example"
    if source.parse is values.json_strings:
        return ("a", "b"), ("c",), ("d", "e")
    if source.parse is str:
        return "a", "b", "c"
    return 1001, 1002, 1003


def as_text(source: Source, value: Any) -> str:
    if isinstance(value, tuple):
        return json.dumps(value) if source.parse is values.json_strings else ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def check(source: Source, folder: Path) -> None:
    """Give a setting in one place after the other."""
    first, second, third = three_values(source, folder)
    company = {"AML_APP_ROOT": str(folder), **company_of(source)}
    (folder / "config.json").write_text(json.dumps({source.variable: as_text(source, third)}))
    flags = [f"--{source.flag}", as_text(source, first)] if source.flag else []

    def found(arguments: list[str], **environment: str) -> object:
        return getattr(load_settings(arguments, company | environment), source.field)

    assert found([]) == third, source
    assert found([], **{source.variable: as_text(source, second)}) == second, source
    if flags:
        assert found(flags, **{source.variable: as_text(source, second)}) == first, source
    default = {field.name: field.default for field in dataclasses.fields(Settings)}[source.field]
    assert default not in (first, third) or source.variable in (*SWITCHES, "GPU_INFERENCE_LOG_FORMAT"), source
    (folder / "config.json").unlink()
    if source.field.startswith("token_") and source.variable in (*_TOKENS, *_INSTEAD):
        # Tokens without it are half a check, which is refused.
        with pytest.raises(SettingsError):
            found([])
    else:
        assert found([]) == default, source


def test_a_setting_is_taken_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    for source in SOURCES:
        folder = tmp_path / source.field
        folder.mkdir()
        check(source, folder)
