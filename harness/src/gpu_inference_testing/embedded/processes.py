"""Starts a cluster's node, finds it again among this host's processes, and ends it.

The node is recognised by its command line, not by a number in a file: that is right also after a crash, a
reboot, or when someone removed the state folder.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gpu_inference_testing
from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.embedded.layout import NODE_MODULE, SYSTEM_PATH

_NAMESPACES = ("--net", "--mount", "--pid", "--uts", "--ipc")
_UNSHARE = ("unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class NodeProcesses:
    """The processes that hold a node together; both are numbers of the host's."""

    launcher: int
    """`unshare`: when it ends, the kernel kills the node's first process."""
    first: int | None
    """The node's first process; when it ends, the kernel kills all others. None: not started yet."""


def start(name: str, state: Path, log: Path, connect: Callable[[int], None]) -> None:
    """Start the node's first process in namespaces of its own.

    Should we be killed on the way, it ends by itself.

    Args:
        name: the cluster's.
        state: its folder.
        log: where what the first process itself says goes.
        connect: called with the number of a process in the node's namespaces, before the node begins to work.

    Raises:
        GpuInferenceError: the namespaces cannot be made.
    """
    with log.open("ab") as output:
        # setsid: the cluster outlives this process and its terminal, and Ctrl-C is handled here alone.
        process = subprocess.Popen(
            ["setsid", "--fork", *_UNSHARE, sys.executable, *_arguments(name, state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd="/",
            env={"PYTHONPATH": str(Path(gpu_inference_testing.__file__).parents[1]), "PATH": SYSTEM_PATH},
        )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = process.stdout.readline() == b"ready\n"
        node = find(name, state)
        if not ready or node is None:
            said = log.read_text(errors="replace").strip()
            raise GpuInferenceError(f"The node's namespaces could not be made: {said}")
        connect(node.launcher)
        process.stdin.write(b"go\n")


def _arguments(name: str, state: Path) -> list[str]:
    """Return the end of the node's command line, by which it is found again."""
    return ["-m", NODE_MODULE, name, str(state)]


def find(name: str, state: Path, proc: Path = Path("/proc")) -> NodeProcesses | None:
    """Return the processes of a running node, or None."""
    tail = [argument.encode() for argument in _arguments(name, state)]
    found: dict[int, bytes] = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            if words[-len(tail) :] == tail and not _is_dead(folder):
                found[int(folder.name)] = words[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # It ended while we looked.
    launchers = [pid for pid, program in found.items() if program.endswith(b"unshare")]
    if not found:
        return None
    # A launcher that was killed leaves its child for the moment that the kernel needs to kill it.
    launcher = launchers[0] if launchers else min(found)
    first = next((pid for pid in found if pid not in launchers), None)
    return NodeProcesses(launcher, first)


def end(node: NodeProcesses, timeout_seconds: float = 20) -> None:
    """Kill a node with all that runs in it, and wait until it is gone.

    Raises:
        GpuInferenceError: it is still there after the timeout.
    """
    pids = [pid for pid in (node.first, node.launcher) if pid is not None]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + timeout_seconds
    while any(not _is_dead(Path("/proc", str(pid))) for pid in pids):
        if time.monotonic() > deadline:
            raise GpuInferenceError(
                f"The cluster's processes {pids} are still there {timeout_seconds:.0f} s after their end.",
                "Something keeps them in the kernel (a hanging disk?). Look at /proc/PID/stack.",
            )
        time.sleep(0.02)


def _is_dead(folder: Path) -> bool:
    """Tell whether a process is gone, or ended and only waits for a parent that does not ask."""
    try:
        # The name in brackets may itself contain brackets and spaces.
        state = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"
