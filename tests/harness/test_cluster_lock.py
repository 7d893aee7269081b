"""Two commands on one cluster: one works, the other says that it waits; nothing is left of the lock."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_inference.progress import Progress, Silent
from gpu_inference_testing.embedded.cluster import temporary_lock

HOLD = """
import sys
from pathlib import Path
from gpu_inference_testing.embedded.cluster import temporary_lock
from gpu_inference.progress import Silent
with temporary_lock(Path(sys.argv[1]), "busy", Silent()):
    print("held", flush=True)
    sys.stdin.readline()
"""

TAKE_TURNS = """
import sys
from pathlib import Path
from gpu_inference_testing.embedded.cluster import temporary_lock
from gpu_inference.progress import Silent
for _ in range(100):
    with temporary_lock(Path(sys.argv[1]), "busy", Silent()):
        Path(sys.argv[2]).touch(exist_ok=False)
        Path(sys.argv[2]).unlink()
"""


def hold_elsewhere(lock: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_command_says_that_it_waits_and_then_works(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "lab.lock"
    said = io.StringIO()

    class ReleaseOnceItWaits(Progress):
        def say(self, text: str) -> None:
            super().say(text)
            if "Waiting" in text and other.stdin is not None and not other.stdin.closed:
                other.stdin.close()

    with hold_elsewhere(lock) as other:
        with temporary_lock(lock, "Waiting for another command", ReleaseOnceItWaits(said)):
            assert lock.exists()
        assert said.getvalue().startswith("• Waiting for another command …\n")
    assert not lock.parent.exists()


def test_lock_of_a_killed_command_does_not_hold_anyone(tmp_path: Path) -> None:
    lock = tmp_path / "state" / "lab.lock"
    with hold_elsewhere(lock) as other:
        other.kill()
    said = io.StringIO()
    with temporary_lock(lock, "Waiting", Progress(said)):
        assert said.getvalue() == ""


def test_folder_with_other_clusters_stays(tmp_path: Path) -> None:
    lock = tmp_path / "lab.lock"
    (tmp_path / "other").mkdir()
    with temporary_lock(lock, "Waiting", Silent()):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_file_in_place_of_the_folder_is_no_reason_to_wait(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(FileExistsError), temporary_lock(tmp_path / "state" / "lab.lock", "Waiting", Silent()):
        pass


def test_many_commands_at_once_take_turns(tmp_path: Path) -> None:
    lock, alone = tmp_path / "state" / "lab.lock", tmp_path / "alone"
    one = [sys.executable, "-c", TAKE_TURNS, str(lock), str(alone)]
    commands = [subprocess.Popen(one, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [command.communicate(timeout=60)[1] for command in commands] == [""] * 4
    assert list(tmp_path.iterdir()) == []
