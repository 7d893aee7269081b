"""Starts a cluster's node, finds its processes on this host, and ends them.

The node is identified by its command line and not by a PID file, so that it is also found correctly after a
crash, a reboot or the removal of the state folder.
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
    """The process ids, on the host, of the two processes that keep a node running."""

    launcher: int
    """`unshare`: when it ends, the kernel kills the node's first process."""
    first: int | None
    """The node's first process, or None before it starts; when it ends, the kernel kills all others."""


def start(name: str, state: Path, log: Path, connect: Callable[[int], None]) -> None:
    """Start the node's first process in new namespaces.

    If this process is killed meanwhile, the node's process ends too.

    Args:
        name: the cluster's name.
        state: the cluster's state folder.
        log: file for the standard error of `unshare`.
        connect: called with the id of a process in the node's namespaces before the node starts components.

    Raises:
        GpuInferenceError: the namespaces cannot be created.
    """
    with log.open("ab") as output:
        # setsid: the cluster outlives this process and its terminal, and does not receive Ctrl-C.
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
            message = log.read_text(errors="replace").strip()
            raise GpuInferenceError(f"The node's namespaces could not be created: {message}")
        connect(node.launcher)
        process.stdin.write(b"go\n")


def _arguments(name: str, state: Path) -> list[str]:
    """Return the last arguments of the node's command line, which identify it."""
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
            continue  # The process ended meanwhile.
    launchers = [pid for pid, program in found.items() if program.endswith(b"unshare")]
    if not found:
        return None
    # After the launcher is killed, its child exists for another moment until the kernel kills it.
    launcher = launchers[0] if launchers else min(found)
    first = next((pid for pid in found if pid not in launchers), None)
    return NodeProcesses(launcher, first)


def end(node: NodeProcesses, timeout_seconds: float = 20) -> None:
    """Kill a node and everything that runs in it, and wait until its processes are gone.

    Raises:
        GpuInferenceError: they still exist after the timeout.
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
                f"The cluster's processes {pids} still exist {timeout_seconds:.0f} s after they were killed.",
                "They hang in the kernel, perhaps because of a disk: see /proc/PID/stack.",
            )
        time.sleep(0.02)


def _is_dead(folder: Path) -> bool:
    """Return whether a process is gone or a zombie."""
    try:
        # The program name in parentheses may itself contain parentheses and spaces.
        state = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"
