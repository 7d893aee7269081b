"""docs/settings.md says what the server takes: each variable, flag and default, and what does nothing."""

import re
from dataclasses import fields
from pathlib import Path

from gpu_inference_runtime.process.startup import ignored_variables
from gpu_inference_runtime.settings import Settings, load_settings
from gpu_inference_runtime.settings.sources import SOURCES

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """Return the rows of the page's table with this header, without the marks of code."""
    rows = PAGE.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def as_shown(value: object) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_each_setting_stands_there_with_its_flag_and_default() -> None:
    defaults = {field.name: field.default for field in fields(Settings)}
    assert [row[:3] for row in table("| variable | flag | default | meaning |")] == [
        [source.variable, f"--{source.flag}" if source.flag else "", as_shown(defaults[source.field])]
        for source in SOURCES
    ]


def test_a_default_that_is_written_as_a_value_is_taken() -> None:
    for variable, _, default, _ in table("| variable | flag | default | meaning |"):
        if default:
            assert load_settings([], {variable: default}) == load_settings([], {}), variable


def test_each_variable_that_does_nothing_stands_there() -> None:
    named = [name for row in table("| variable | why |") for name in re.split(", ", row[0])]
    environment = dict.fromkeys(named, "true")
    assert sorted(named) == sorted(
        name for name, _ in ignored_variables(load_settings([], environment), environment)
    )
