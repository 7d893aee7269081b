"""How requests are put together: nothing of it in the pods unless a value says so, and then just that."""

from typing import Any

import pytest
import yaml
from tests.chart.rendering import CHART, RefusedError, render

from gpu_inference_runtime.settings import Settings

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())["batching"]
# Each value with its variable, the field of the runtime's settings, another value, and that one's text.
ONES = [
    ("mode", "GPU_INFERENCE_BATCHING", "batching", "merge", "merge"),
    ("mode", "GPU_INFERENCE_BATCHING", "batching", "schema", "schema"),
    ("mode", "GPU_INFERENCE_BATCHING", "batching", "array", "array"),
    ("maxRows", "GPU_INFERENCE_BATCH_MAX_ROWS", "batch_max_rows", 4096, "4096"),
    ("maxBytes", "GPU_INFERENCE_BATCH_MAX_BYTES", "batch_max_bytes", 268435456, "268435456"),
    ("dtype", "GPU_INFERENCE_ARRAY_DTYPE", "array_dtype", "uint8", "uint8"),
    ("fastJson", "GPU_INFERENCE_FAST_JSON", "fast_json", True, "true"),
]


def test_unless_a_value_says_so_the_pods_have_nothing_of_it() -> None:
    variables = {variable for _, variable, *_ in ONES}
    assert variables & render().env.keys() == set()
    assert render({"batching": DEFAULTS}).objects == render().objects


@pytest.mark.parametrize(("key", "variable", "field", "value", "text"), ONES)
def test_a_value_that_differs_becomes_its_variable_alone(
    key: str, variable: str, field: str, value: Any, text: str
) -> None:
    rendered = render({"batching": {key: value}})
    assert rendered.env == {**render().env, variable: text}
    # The runtime needs no variable for what the chart leaves out.
    assert DEFAULTS[key] == getattr(Settings(), field)


@pytest.mark.parametrize("skip_schema", [False, True])
@pytest.mark.parametrize("key", ["maxRows", "maxBytes"])
@pytest.mark.parametrize("value", [0, 0.5, "8", 2**31])
def test_a_limit_that_is_no_whole_number_above_0_is_refused(key: str, value: Any, skip_schema: bool) -> None:
    with pytest.raises(RefusedError, match=key):
        render({"batching": {key: value}}, skip_schema=skip_schema)


@pytest.mark.parametrize("skip_schema", [False, True])
@pytest.mark.parametrize(("key", "value"), [("mode", "all"), ("dtype", "int8"), ("fastJson", "yes")])
def test_a_word_that_the_runtime_does_not_know_is_refused(key: str, value: str, skip_schema: bool) -> None:
    with pytest.raises(RefusedError, match=key):
        render({"batching": {key: value}}, skip_schema=skip_schema)


def test_extra_env_does_not_set_them_too() -> None:
    for _, variable, *_ in ONES:
        with pytest.raises(RefusedError, match=f"extraEnv must not set {variable}"):
            render({"extraEnv": [{"name": variable, "value": "x"}]})
