"""A cached folder is whole or absent: after errors, interruptions, a killed process, and with two at work."""

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_inference import cache
from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Progress, Silent


def test_what_the_block_made_becomes_the_entry_and_can_be_read_by_all(tmp_path: Path) -> None:
    with cache.locked(tmp_path, Silent()), cache.new_entry(tmp_path / "entry") as folder:
        (folder / "program").write_text("made")
        assert not (tmp_path / "entry").exists()
    assert (tmp_path / "entry" / "program").read_text() == "made"
    assert (tmp_path / "entry").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [GpuInferenceError("It broke."), KeyboardInterrupt()])
def test_nothing_is_left_of_a_block_that_fails(tmp_path: Path, error: BaseException) -> None:
    def make_half() -> None:
        with cache.locked(tmp_path, Silent()), cache.new_entry(tmp_path / "entry") as folder:
            (folder / "program").write_text("half")
            raise error

    with pytest.raises(type(error)):
        make_half()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_what_a_killed_process_left_is_removed_and_its_lock_is_free(tmp_path: Path) -> None:
    ours = (
        "import os, pathlib\n"
        "from gpu_inference.progress import Silent\n"
        "from gpu_inference import cache\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with cache.locked(folder, Silent()), cache.new_entry(folder / 'entry') as entry:\n"
        "    (entry / 'program').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", ours], check=False).returncode == -9
    assert len(list(tmp_path.glob(".unfinished-*"))) == 1
    with cache.locked(tmp_path, Silent()):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_second_process_says_that_it_waits_and_gets_the_lock_after_the_first(tmp_path: Path) -> None:
    ours = (
        "import pathlib\n"
        "from gpu_inference.progress import Progress\n"
        "from gpu_inference import cache\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with cache.locked(folder, Progress()): print((folder / 'made').read_text())\n"
    )
    with cache.locked(tmp_path, Silent()):
        second = subprocess.Popen(
            [sys.executable, "-c", ours], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stderr
        assert second.stderr.readline() == f"• Waiting for another process that fills {tmp_path} …\n"
        (tmp_path / "made").write_text("by the first")
    assert second.communicate(timeout=20)[0] == "by the first\n"


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    said = io.StringIO()
    with cache.locked(tmp_path / "new" / "folder", Progress(said)):
        assert (tmp_path / "new" / "folder").is_dir()
    assert said.getvalue() == ""


def test_a_cache_folder_that_cannot_be_made_is_named_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(
            GpuInferenceError, match=r"file/cache cannot be written to.*\n.*GPU_INFERENCE_CACHE_DIR"
        ),
        cache.locked(tmp_path / "file" / "cache", Silent()),
    ):
        pass


def test_a_disk_that_fills_up_is_said_in_a_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(GpuInferenceError, match=r"The disk is full: .*\n.*GPU_INFERENCE_CACHE_DIR"),
        cache.locked(tmp_path, Silent()),
        cache.new_entry(tmp_path / "entry"),
        Path("/dev/full").open("w") as full,
    ):
        full.write("x")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_disk_that_another_program_found_full_is_said_in_the_same_sentence() -> None:
    said = "# runtime\n/tmp/go-build1/b2/_pkg_.a: write: no space left on device\nmore"
    with pytest.raises(GpuInferenceError, match=r"The disk is full: /tmp/go-build1/\S+ write: no space"):
        cache.raise_if_disk_is_full(said)


def test_other_words_of_another_program_are_no_full_disk() -> None:
    cache.raise_if_disk_is_full(f"main.go:3: undefined: x\nexit status {errno.ENOSPC}")
