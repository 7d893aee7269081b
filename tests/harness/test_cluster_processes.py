"""A node is recognised among a machine's processes by its command line alone."""

import os
from pathlib import Path

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.embedded import processes
from gpu_inference_testing.embedded.layout import NODE_MODULE

STATE = Path("/var/lib/gpu-inference/lab")
NODE = ["python", "-m", NODE_MODULE, "lab", str(STATE)]
LAUNCHER = ["unshare", "--net", *NODE]


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    add(tmp_path, 1, ["init"])
    add(tmp_path, 7, [])  # A thread of the kernel.
    (tmp_path / "meminfo").touch()
    return tmp_path


def add(proc: Path, pid: int, words: list[str], state: str = "S") -> None:
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
    (folder / "stat").write_text(f"{pid} (a name) with brackets) {state} 1 1 1")


def test_running_node_is_found_with_both_its_processes(proc: Path) -> None:
    add(proc, 40, LAUNCHER)
    add(proc, 41, NODE)
    assert processes.find("lab", STATE, proc) == processes.NodeProcesses(launcher=40, first=41)


def test_node_that_is_only_starting_is_found(proc: Path) -> None:
    add(proc, 40, LAUNCHER)
    assert processes.find("lab", STATE, proc) == processes.NodeProcesses(launcher=40, first=None)


def test_node_whose_launcher_was_killed_is_found(proc: Path) -> None:
    add(proc, 41, NODE)
    assert processes.find("lab", STATE, proc) is not None


def test_ended_node_that_nobody_buried_is_not_running(proc: Path) -> None:
    add(proc, 41, NODE, state="Z")
    assert processes.find("lab", STATE, proc) is None


@pytest.mark.parametrize(("name", "state"), [("other", STATE), ("lab", Path("/elsewhere/lab"))])
def test_other_clusters_nodes_are_not_ours(proc: Path, name: str, state: Path) -> None:
    add(proc, 40, LAUNCHER)
    add(proc, 41, NODE)
    assert processes.find(name, state, proc) is None


def test_node_that_cannot_make_its_namespaces_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "setsid").write_text(
        "#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n"
    )
    (programs / "setsid").chmod(0o755)
    monkeypatch.setattr(processes, "SYSTEM_PATH", f"{programs}:{os.environ['PATH']}")
    with pytest.raises(
        GpuInferenceError, match="namespaces could not be created: unshare failed: Operation not"
    ):
        processes.start("lab", tmp_path, tmp_path / "log", lambda _: None)
