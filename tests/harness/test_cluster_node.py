"""What the node's first process says when one of its components ends.

It runs in a process of its own here, as it waits for every child it has. The live tests have the namespaces.
"""

import subprocess
import sys
from pathlib import Path

from gpu_inference_testing.embedded import pki
from gpu_inference_testing.embedded.layout import StateFolder

WATCH = """
import sys
from pathlib import Path
from gpu_inference_testing.embedded.layout import StateFolder
from gpu_inference_testing.embedded.node import Node
command = sys.argv[2:]
Node(StateFolder(Path(sys.argv[1])), [{"name": "kubelet", "command": command, "needs_api": False}]).run()
"""


def watch(folder: Path, *command: str) -> str:
    state = StateFolder(folder)
    for made in (state.logs, state.pki):
        made.mkdir()
    pki.Authority(state.pki)
    process = subprocess.run([sys.executable, "-c", WATCH, str(folder), *command], timeout=30, check=False)
    assert process.returncode == 1
    return state.failure.read_text()


def test_component_that_exits_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    script = "seq 1 100; echo 'no space left on device' >&2; exit 3"
    said = watch(tmp_path, "/bin/sh", "-c", script)
    assert said.startswith("kubelet exited with 3. The end of its log:\n")
    assert said.endswith("\n99\n100\nno space left on device\n")
    assert len(said.splitlines()) < 25


def test_panic_is_shown_by_its_reason_and_not_by_its_stack(tmp_path: Path) -> None:
    script = "echo 'panic: no space left on device'; echo; echo 'goroutine 1 [running]:'; seq 1 100; exit 2"
    said = watch(tmp_path, "/bin/sh", "-c", script)
    assert said == "kubelet exited with 2. The end of its log:\npanic: no space left on device\n"


def test_component_that_is_killed_is_named_with_the_signal(tmp_path: Path) -> None:
    assert watch(tmp_path, "/bin/sh", "-c", "kill -9 $$").startswith("kubelet was ended by SIGKILL. ")


def test_component_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    said = watch(tmp_path, "/nonexistent/kubelet")
    assert said.startswith("kubelet could not be started: ")
    assert "No such file or directory" in said
