"""The documents are true: what they tell people to type exists, and what they link to is there."""

import re
import shlex
from pathlib import Path

import click
import pytest
from tests.harness.makefile import ROOT
from tests.harness.makefile import TEXT as MAKEFILE
from tests.runtime.differential.cases import CASES
from tests.runtime.differential.cases.failed_starts import FAILED_STARTS

from gpu_inference.cli import commands
from gpu_inference.image import FRAMEWORKS
from gpu_inference.process import run

DOCUMENTS = [
    ROOT / name
    for name in run(["git", "ls-files", "-z", "*.md"], cwd=ROOT).split("\0")
    if name and (ROOT / name).is_file()
]


def _commands(document: Path) -> list[str]:
    """Return the lines of the document's code blocks, those that go on joined."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def test_every_make_target_that_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        inline = re.findall(r"`(make [^`\n]+)`", document.read_text())
        shown = [line.split("#")[0] for line in _commands(document) if line.startswith("make ")]
        named = {word for command in (*inline, *shown) for word in shlex.split(command)[1:]}
        variables = {word.partition("=")[0] for word in named if "=" in word}
        targets = {word for word in named if "=" not in word}
        assert {name for name in targets if f"\n{name}:" not in MAKEFILE} == set(), document
        unused = {name for name in variables if not re.search(rf"\$\({name}\)|,{name},", MAKEFILE)}
        assert unused == set(), document


def test_every_gpu_inference_command_that_a_document_shows_is_understood() -> None:
    shown = [(document, line) for document in DOCUMENTS for line in _commands(document)]
    for document, line in shown:
        command = re.split(r"\s+[>|]\s|\s+#", line)[0]
        if not re.match(r"gpu-inference [a-z]", command) or "…" in command:
            continue
        try:
            _parse(shlex.split(command)[1:])
        except click.UsageError as error:
            pytest.fail(f"{document} shows {command!r}: {error.format_message()}")


def _parse(words: list[str]) -> None:
    """Parse a command line, to the last of its groups, without running it."""
    command: click.Command = commands
    context: click.Context | None = None
    name: str | None = "gpu-inference"
    while isinstance(command, click.Group):
        # Only the group's own options are parsed so far: what is left begins with the command.
        split = next((at for at, word in enumerate(words) if not word.startswith("-")), len(words))
        context = command.make_context(name, words[: split + 1], parent=context)
        name, found, _ = command.resolve_command(context, words[split : split + 1])
        assert found
        command, words = found, words[split + 1 :]
    command.make_context(name, words, parent=context)


def test_every_link_inside_the_checkout_leads_somewhere() -> None:
    for document in DOCUMENTS:
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
        local = [target for target in targets if "://" not in target]
        assert [target for target in local if not (document.parent / target).exists()] == [], document


def _anchors(document: Path) -> set[str]:
    """Return what links may name after `#`: the headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_anchor_of_a_link_is_a_heading() -> None:
    for document in DOCUMENTS:
        links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text())
        missing = [
            f"{file}#{anchor}"
            for file, anchor in links
            if anchor not in _anchors(document.parent / file if file else document)
        ]
        assert missing == [], document


# What people read from its beginning, as opposed to what they look up.
@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "charts/gpu-inference/README.md"])
def test_paragraphs_are_short(page: str) -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    prose = [line for line in text.splitlines() if not line.startswith("|")]
    assert [line for line in prose if len(line.split()) > 80] == []


def test_lists_of_frameworks_are_the_lock_files() -> None:
    locks = (ROOT / "runtime").glob("requirements-*.lock")
    frameworks = ["none", *sorted(path.stem.removeprefix("requirements-") for path in locks)]
    assert list(FRAMEWORKS) == frameworks
    shown = ", ".join(f"`{name}`" for name in frameworks[:-1])
    assert f"{shown} or `{frameworks[-1]}`" in (ROOT / "README.md").read_text()
    assert f"{shown} or `{frameworks[-1]}`" in (ROOT / "docs" / "interfaces.md").read_text()
    assert [
        path.stem
        for path in (ROOT / "runtime").glob("requirements-*.in")
        if path.stem.removeprefix("requirements-") not in frameworks
    ] == []


@pytest.mark.parametrize("page", ["features.md", "v1-contract.md"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / page).read_text()))
    files = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in files for name in re.findall(r"^def (test_\w+)", text, flags=re.MULTILINE)}
    assert named
    assert named - there == set()


@pytest.mark.parametrize(
    ("word", "there"),
    [
        ("case", {case.name for case in CASES}),
        ("start", {start.case.name for start in FAILED_STARTS}),
    ],
)
def test_every_case_that_the_contract_names_is_there(word: str, there: set[str]) -> None:
    page = (ROOT / "docs" / "v1-contract.md").read_text()
    # The page explains the two words by `case NAME` and `start NAME`.
    named = set(re.findall(rf"`{word} ([^`]+)`", page)) - {"NAME"}
    assert named
    assert named - there == set()


def test_every_line_of_the_contract_names_what_holds_it() -> None:
    page = (ROOT / "docs" / "v1-contract.md").read_text().splitlines()
    tables = [line for line in page if line.startswith("|")]
    lines = [line for line in tables if not line.endswith("| held by |") and not line.startswith("| ---")]
    assert lines
    assert [line for line in lines if not re.search(r"`(?:test_|case |start )[^|]*\|$", line)] == []
