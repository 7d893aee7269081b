"""docs/decisions.md: numbered and dated entries, an index of them, and no reference to a missing one."""

import datetime
import re

import pytest
from tests.harness.makefile import ROOT

from gpu_inference.process import run

TEXT = (ROOT / "docs" / "decisions.md").read_text()
_ENTRY = r"^## (\d+)\. ([^\n]*) \((\d{4}-\d\d-\d\d)\)\n\n(.*?)(?=\n\n## |\n*\Z)"
ENTRIES = re.findall(_ENTRY, TEXT, re.MULTILINE | re.DOTALL)
NUMBERS = [int(number) for number, *_ in ENTRIES]
REFERENCE = re.compile(r"decisions\.md (\d+)")


def test_every_heading_has_a_number_of_its_own_and_a_date() -> None:
    assert len(ENTRIES) == TEXT.count("\n## ") > 90
    assert sorted(set(NUMBERS)) == NUMBERS
    assert all(datetime.date.fromisoformat(date) for _, _, date, _ in ENTRIES)


def test_the_index_lists_every_entry_under_its_title() -> None:
    index = TEXT.partition("\n## ")[0]
    listed = re.findall(r"^- \[(\d+)\. (.*)\]\(#", index, re.MULTILINE)
    assert sorted(listed) == sorted((number, title) for number, title, _, _ in ENTRIES)


def test_every_entry_has_a_context_and_a_decision() -> None:
    labels = {
        number: re.findall(r"^- \*\*(\w+)\*\*: \S", body, re.MULTILINE) for number, _, _, body in ENTRIES
    }
    assert {number: found for number, found in labels.items() if found[:2] != ["Context", "Decision"]} == {}
    assert {found[2] for found in labels.values() if len(found) > 2} == {"Consequence"}
    assert [body for _, _, _, body in ENTRIES if len(body.split("\n")) > 3] == []


def test_every_reference_in_the_repository_is_to_an_entry() -> None:
    files = run(["git", "grep", "-lE", r"decisions\.md [0-9]"], cwd=ROOT).split()
    found = {
        file: {int(number) for number in REFERENCE.findall((ROOT / file).read_text())}
        for file in files
        if file != "tests/harness/test_decisions.py"
    }
    assert len(found) > 20
    # CONTRIBUTING.md shows one as an example.
    assert {file: numbers - set(NUMBERS) for file, numbers in found.items() if numbers - set(NUMBERS)} == {}


@pytest.mark.parametrize(
    "text", ["# docs/decisions.md 12", "(docs/decisions.md 12).", "{{- /* docs/decisions.md 12 */}}"]
)
def test_a_reference_is_found_in_every_kind_of_comment(text: str) -> None:
    assert REFERENCE.findall(text) == ["12"]
