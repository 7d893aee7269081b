"""What goes into a service's image is checked before anything is built: script, models, folders."""

import os
from pathlib import Path

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference.image import Model, ServiceSource, parse_model, tree
from gpu_inference.image.entry_script import require_entry_script

GOOD_SCRIPT = "def init(): pass\ndef run(data): return data\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "score.py").write_text(GOOD_SCRIPT)
    return folder


def test_a_model_without_a_version_is_the_first_one(tmp_path: Path) -> None:
    assert parse_model(f"m={tmp_path}") == Model("m", tmp_path, 1)


def test_a_model_may_name_its_version_and_a_path_with_equals_signs(tmp_path: Path) -> None:
    path = tmp_path / "a=b:c"
    path.write_text("weights")
    assert parse_model(f"m:12={path}") == Model("m", path, 12)


@pytest.mark.parametrize("argument", ["m", "m=", "m:=x", "m:v1=x", "m:-1=x", "m:1.0=x", "m:²=x"])
def test_another_form_of_a_model_is_refused_with_the_right_one(argument: str) -> None:
    with pytest.raises(GpuInferenceError, match="NAME:VERSION=PATH"):
        parse_model(argument)


def test_a_model_that_is_not_there_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"path of model m does not exist: .*/gone"):
        parse_model(f"m={tmp_path / 'gone'}")


def test_a_negative_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match="must not be negative: -1"):
        Model("m", tmp_path, -1)


def test_two_models_in_one_version_are_refused(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("weights")
    with pytest.raises(GpuInferenceError, match=r"version 1, is given twice: .*/a, .*/b\."):
        ServiceSource("abc", source, "score.py", [Model("m", tmp_path / "a"), Model("m", tmp_path / "b")])


def test_a_source_folder_called_like_the_models_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "azureml-models"
    folder.mkdir()
    (folder / "score.py").write_text(GOOD_SCRIPT)
    with pytest.raises(GpuInferenceError, match="cannot be called 'azureml-models'"):
        ServiceSource("abc", folder, "score.py")


@pytest.mark.parametrize(
    "script",
    [
        GOOD_SCRIPT,
        "from steps import init, run\n",
        "from steps import *\n",
        "import steps\ninit = steps.start\nrun = lambda data: data\n",
        "if True:\n    def init(): pass\n    def run(data): pass\n",
        "try:\n    from a import init, run\nexcept ImportError:\n    from b import init, run\n",
        "def install():\n    global init, run\n    init = run = print\ninstall()\n",
        "globals().update(init=print, run=print)\n",
        "def init(): pass\nclass run:\n    def __init__(self, data): pass\n",
        "# -*- coding: latin-1 -*-\nname = 'é'\n" + GOOD_SCRIPT,
        "\ufeff" + GOOD_SCRIPT,
    ],
)
def test_a_script_in_which_python_finds_both_functions_is_accepted(source: Path, script: str) -> None:
    encoding = "latin-1" if "latin-1" in script else "utf-8"
    (source / "score.py").write_text(script, encoding=encoding)
    require_entry_script(source, "score.py")


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("", r"no init\(\) and no run\(\)"),
        ("def init(): pass\n", r"no run\(\)"),
        ("def run(data): pass\n", r"no init\(\)"),
        ("def init(): pass\nclass Model:\n    def run(self, data): pass\n", r"no run\(\)"),
        ("def init(): pass\ndef main():\n    run = print\n", r"no run\(\)"),
        ("def init(): pass\nrun(1)\n", r"no run\(\)"),
    ],
)
def test_a_script_without_a_function_is_refused(source: Path, script: str, missing: str) -> None:
    (source / "score.py").write_text(script)
    with pytest.raises(GpuInferenceError, match=missing):
        require_entry_script(source, "score.py")


def test_a_syntax_error_is_named_with_its_line(source: Path) -> None:
    (source / "score.py").write_text("def init(): pass\ndef run(data)\n    return data\n")
    with pytest.raises(
        GpuInferenceError, match=r"score\.py has a syntax error, line 2 \(expected ':'\): def run"
    ):
        require_entry_script(source, "score.py")


def test_a_script_that_is_no_text_is_refused(source: Path) -> None:
    (source / "score.py").write_bytes(b"\x00\x01\x02")
    with pytest.raises(GpuInferenceError, match=r"score\.py (is not Python|has a syntax error)"):
        require_entry_script(source, "score.py")


def test_a_script_that_is_not_there_is_named_with_its_folder(source: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"gone\.py does not exist in .*/src"):
        require_entry_script(source, "gone.py")


def test_a_source_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match=r"source folder .*/gone does not exist"):
        require_entry_script(tmp_path / "gone", "score.py")


def test_a_script_that_is_no_python_file_is_refused(source: Path) -> None:
    (source / "score.sh").write_text("exit")
    with pytest.raises(GpuInferenceError, match=r"must be a Python file \(\.py\)"):
        require_entry_script(source, "score.sh")


def test_a_script_outside_of_the_source_folder_is_refused(source: Path) -> None:
    (source.parent / "score.py").write_text(GOOD_SCRIPT)
    with pytest.raises(GpuInferenceError, match="is outside the source folder"):
        require_entry_script(source, "../score.py")


def test_a_copy_holds_the_folder_as_it_is_without_what_tools_left(source: Path, tmp_path: Path) -> None:
    (source / "data").mkdir()
    (source / "data" / "labels.txt").write_text("0 1 2")
    (source / "latest").symlink_to("data/labels.txt")
    (source / "empty").mkdir()
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "score.pyc").write_text("")
    tree.copy(source, tmp_path / "copy")
    found = sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*"))
    assert found == ["data", "data/labels.txt", "empty", "latest", "score.py"]
    assert (tmp_path / "copy" / "latest").readlink() == Path("data/labels.txt")


@pytest.mark.parametrize("target", ["../secret", "/etc/hostname"])
def test_a_link_that_leads_out_of_the_folder_is_refused(source: Path, target: str) -> None:
    (source.parent / "secret").write_text("not for the image")
    (source / "link").symlink_to(target)
    with pytest.raises(GpuInferenceError, match=f"link to {target}, outside"):
        tree.digest(source)


def test_what_is_neither_file_nor_folder_is_refused(source: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(GpuInferenceError, match="pipe is neither a file nor a folder"):
        tree.digest(source)


def test_a_digest_depends_on_names_contents_links_and_execute_bits_alone(source: Path) -> None:
    digests = [tree.digest(source)]
    os.utime(source / "score.py", (0, 0))
    (source / "score.py").chmod(0o600)
    assert tree.digest(source) == digests[0]
    (source / "score.py").chmod(0o700)
    digests.append(tree.digest(source))
    (source / "score.py").rename(source / "main.py")
    digests.append(tree.digest(source))
    (source / "main.py").write_text(GOOD_SCRIPT + "#")
    digests.append(tree.digest(source))
    (source / "link").symlink_to("main.py")
    digests.append(tree.digest(source))
    (source / "empty").mkdir()
    digests.append(tree.digest(source))
    assert len(set(digests)) == len(digests)
