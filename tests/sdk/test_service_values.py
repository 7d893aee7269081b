"""Values from files and single settings are joined as Helm joins them; what is no value is named."""

from pathlib import Path
from typing import Any

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference.value_files import merged, parse_settings, read_values


def test_maps_are_joined_and_everything_else_is_replaced() -> None:
    old = {"deployment": {"num_replicas": 3, "gpu_cores": 1}, "tolerations": [1, 2], "image": {"tag": "1"}}
    new = {"deployment": {"num_replicas": 4}, "tolerations": [3], "image": None}
    assert merged(old, new) == {
        "deployment": {"num_replicas": 4, "gpu_cores": 1},
        "tolerations": [3],
        "image": None,
    }


def test_joining_changes_neither_side() -> None:
    old: dict[str, Any] = {"deployment": {"num_replicas": 3}}
    merged(old, {"deployment": {"num_replicas": 4}})["deployment"]["gpu_cores"] = 2
    assert old == {"deployment": {"num_replicas": 3}}


def test_settings_are_read_as_yaml_and_may_share_a_map() -> None:
    settings = [
        "deployment.num_replicas=3",
        "deployment.auth_enabled=false",
        "cluster.gpu_products=[A100, H100]",
        "deployment.description=a = b",
    ]
    assert parse_settings(settings) == {
        "deployment": {"num_replicas": 3, "auth_enabled": False, "description": "a = b"},
        "cluster": {"gpu_products": ["A100", "H100"]},
    }


@pytest.mark.parametrize("setting", ["deployment.num_replicas", "=3", "deployment.=3", ".x=3"])
def test_a_setting_of_another_form_is_refused(setting: str) -> None:
    with pytest.raises(GpuInferenceError, match="does not set a value"):
        parse_settings([setting])


def test_a_setting_that_is_not_yaml_is_named() -> None:
    with pytest.raises(GpuInferenceError, match=r"The value in 'a=\[1' is not YAML"):
        parse_settings(["a=[1"])


def test_an_empty_file_holds_no_values(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("# nothing yet\n")
    assert read_values(path) == {}


def test_a_values_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"gone\.yaml cannot be read: No such file"):
        read_values(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"a: [1", "is not YAML"), (b"\xff\xfe\x00", "is not YAML"), (b"- 1", "must contain a map, not list")],
)
def test_a_values_file_of_another_form_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_bytes(content)
    with pytest.raises(GpuInferenceError, match=complaint):
        read_values(path)
