"""The SDK's way to run other programs: results, errors as sentences, nothing left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests import ctrl_c

from gpu_inference.errors import GpuInferenceError
from gpu_inference.process import end_group, run

PIPES: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)


def test_returns_what_the_program_wrote_to_standard_output() -> None:
    assert run([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)"]) == "out\n"


def test_gives_the_program_its_standard_input_and_variables() -> None:
    program = "import os, sys; print(os.environ['GREETING'], sys.stdin.read())"
    assert run([sys.executable, "-c", program], stdin="Ada", env={"GREETING": "Hello"}) == "Hello Ada\n"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(GpuInferenceError, match="'no-such-program' is not installed"):
        run(["no-such-program"])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(GpuInferenceError, match="gone does not exist"):
        run(["true"], cwd=tmp_path / "gone")


def test_a_failure_carries_the_command_its_status_and_its_last_words() -> None:
    with pytest.raises(GpuInferenceError, match=r"exited with 3:\nline 1\nlast words"):
        run(
            [sys.executable, "-c", "import sys; sys.exit(print('line 1\\nlast words', file=sys.stderr) or 3)"]
        )


def test_a_failure_with_a_log_names_the_log_and_keeps_all_of_it(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    program = "for i in range(100): print('line', i)\nraise SystemExit(1)"
    with pytest.raises(GpuInferenceError, match=r"whole log: .*build\.log.*\n(.*\n)*line 99") as caught:
        run([sys.executable, "-c", program], log=log)
    assert "line 10\n" not in str(caught.value)
    assert "line 10\n" in log.read_text()


def test_a_timeout_ends_the_program_and_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(GpuInferenceError, match=r"did not end within 1 s"):
        run(["sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"], timeout=1)
    assert _ends(int(pid_file.read_text()))


def test_ctrl_c_ends_the_program_and_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    ours = (
        f"from gpu_inference.process import run; run(['sh', '-c', 'sleep 600 & echo $! > {pid_file}; wait'])"
    )
    process = ctrl_c.start([sys.executable, "-c", ours], stderr=subprocess.DEVNULL)
    while not (pid_file.exists() and pid_file.read_text().strip()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(20)
    assert _ends(int(pid_file.read_text()))


def test_a_test_can_end_a_program_by_ctrl_c_where_sigint_is_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = ctrl_c.start([sys.executable, "-c", "print(1, flush=True); input()"], **PIPES)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.communicate(timeout=20)[1]


def test_a_program_that_ignores_sigterm_is_killed() -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    process.stdout.readline()
    end_group(process, grace_seconds=0.2)
    assert process.returncode == -signal.SIGKILL


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.05)
    return False
