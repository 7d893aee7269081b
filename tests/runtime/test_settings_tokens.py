"""Settings of a token check: whole, or refused with a sentence."""

from pathlib import Path

import pytest

from gpu_inference_runtime.settings import Settings, SettingsError, load_settings

TOKENS = {
    "GPU_INFERENCE_FRONT_END": "azureml",
    "GPU_INFERENCE_TOKEN_ISSUER": "https://issuer.example",
    "GPU_INFERENCE_TOKEN_AUDIENCE": "mnist",
    "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": '["one, two", "three"]',
    "GPU_INFERENCE_TOKEN_JWKS_FILE": "/keys/jwks.json",
}


def test_tokens_are_asked_for_once_the_keys_place_is_known() -> None:
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
