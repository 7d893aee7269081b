"""Loading the user's script: what it may count on, and what is said when it cannot be served."""

import sys
from pathlib import Path

import pytest

from gpu_inference_runtime.entry_script import EntryScriptError, load_entry_script

GOOD = "def init(): pass\ndef run(data): return data\n"


@pytest.fixture(autouse=True)
def _same_imports_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "entry_module", raising=False)


def write(folder: Path, text: str) -> str:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/score.py").write_text(text)
    return "src/score.py"


def test_a_script_without_a_path_is_the_built_in_echo() -> None:
    script = load_entry_script(None, Path(), None)
    script.init()
    assert script.run("abc") == "abc"


def test_the_script_finds_modules_in_its_source_folder_and_in_the_app_root(tmp_path: Path) -> None:
    entry = write(tmp_path, "import beside_me, in_the_root\n" + GOOD)
    (tmp_path / "src/beside_me.py").touch()
    (tmp_path / "in_the_root.py").touch()
    load_entry_script(entry, tmp_path, "src")
    assert sys.path[-2:] == [str(tmp_path), str(tmp_path / "src")]


def test_classes_of_the_script_can_be_looked_up_by_their_module(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        "from __future__ import annotations\nimport dataclasses\n"
        "@dataclasses.dataclass\nclass Row:\n    kind: dataclasses.KW_ONLY\n    x: int\n" + GOOD,
    )
    load_entry_script(entry, tmp_path, "src")


def test_an_absolute_path_needs_no_app_root(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert load_entry_script(str(tmp_path / "src/score.py"), Path("/"), None).run("x") == "x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def init(): pass\n", "does not have a run() function defined."),
        ("def run(data): pass\n", "does not have a init() function defined."),
        ("init = run = 1\n", "does not have a init() function defined."),
        ("def init(): pass\ndef run(): pass\n", "run() needs to accept an argument for input data."),
    ],
)
def test_a_script_that_lacks_something_is_refused_by_name(tmp_path: Path, text: str, sentence: str) -> None:
    entry = write(tmp_path, text)
    with pytest.raises(EntryScriptError) as caught:
        load_entry_script(entry, tmp_path, "src")
    assert sentence in str(caught.value)
    assert str(tmp_path / "src/score.py") in str(caught.value)


def test_a_missing_script_is_named_with_the_folder_it_was_looked_for_in(tmp_path: Path) -> None:
    with pytest.raises(EntryScriptError) as caught:
        load_entry_script("src/absent.py", tmp_path, "src")
    assert str(tmp_path / "src/absent.py") in str(caught.value)
    assert "AZUREML_ENTRY_SCRIPT" in str(caught.value)


def test_a_file_that_is_not_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "score.txt").write_text(GOOD)
    with pytest.raises(EntryScriptError, match=r"its name must end in \.py"):
        load_entry_script("score.txt", tmp_path, None)


def test_what_the_top_level_raises_comes_through(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError):
        load_entry_script(write(tmp_path, "def init(:\n"), tmp_path, "src")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load_entry_script(write(tmp_path, "import no_such_package\n"), tmp_path, "src")
