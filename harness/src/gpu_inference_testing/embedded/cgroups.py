"""The cgroup folder that the kubelet works under: one per hierarchy on cgroup v1 (and hybrid), one on v2."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError

# What the kubelet and runc limit pods with.
_NEEDED = ("cpu", "cpuset", "memory", "pids")


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup file system."""

    path: Path
    version: int


def hierarchies(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Hierarchy]:
    """Return the cgroup hierarchies mounted on this machine."""
    found = []
    for line in mountinfo.read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind = right.split()[0]
        if kind in ("cgroup", "cgroup2"):
            found.append(Hierarchy(Path(left.split()[4]), 2 if kind == "cgroup2" else 1))
    return found


def create(name: str, where: Iterable[Hierarchy]) -> list[str]:
    """Make the folder `name` in every hierarchy, ready to have groups with limits below it.

    Returns:
        The v2 controllers that were off for the children of the root and are now on, for `remove`.

    Raises:
        GpuInferenceError: a v2 controller cannot be turned on.
    """
    mounted = list(where)
    # On a hybrid machine the v1 hierarchies do the work and v2 has nothing but its tree of processes.
    unified = all(hierarchy.version == 2 for hierarchy in mounted)
    turned_on: list[str] = []
    for hierarchy in mounted:
        folder = hierarchy.path / name
        if hierarchy.version == 1:
            folder.mkdir(exist_ok=True)
            # A new cpuset is empty, and no process can enter it, until it is given CPUs and memory nodes.
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (folder / file).exists():
                    (folder / file).write_text((hierarchy.path / file).read_text())
        elif unified:
            turned_on = _turn_on(hierarchy.path)
            folder.mkdir(exist_ok=True)
    return turned_on


def _turn_on(root: Path) -> list[str]:
    available = (root / "cgroup.controllers").read_text().split()
    active = (root / "cgroup.subtree_control").read_text().split()
    missing = [controller for controller in _NEEDED if controller not in active]
    for controller in missing:
        if controller not in available:
            raise GpuInferenceError(
                f"The cgroup controller {controller!r} is not available in {root}.",
                "Turn it on for this machine, or for the container that this runs in.",
            )
        try:
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            raise GpuInferenceError(
                f"The cgroup controller {controller!r} cannot be turned on in {root}: {error.strerror}.",
                "In a container, processes in its root group forbid it: start it with --cgroupns=host.",
            ) from error
    return missing


def remove(
    name: str, where: Iterable[Hierarchy], turned_on: Iterable[str] = (), timeout_seconds: float = 10
) -> None:
    """Remove the folder and all below it, and turn the controllers off again that `create` turned on.

    Raises:
        GpuInferenceError: a group is still in use after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    for hierarchy in where:
        folder = hierarchy.path / name
        if not folder.exists():
            continue
        # A group is busy until the kernel has taken the last killed process out of it.
        while not _remove_tree(folder):
            if time.monotonic() > deadline:
                raise GpuInferenceError(
                    f"The cgroup {folder} is still in use after {timeout_seconds:.0f} s.",
                    f"End the processes named in {folder}/**/cgroup.procs and call `cluster down` again.",
                )
            time.sleep(0.05)
        if hierarchy.version == 2:
            for controller in turned_on:
                try:
                    (hierarchy.path / "cgroup.subtree_control").write_text(f"-{controller}")
                except OSError:
                    continue  # Someone else's groups use it by now: then it stays.


def _remove_tree(folder: Path) -> bool:
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            Path(path).rmdir()
    except FileNotFoundError:
        return False  # It changes while we walk: look again.
    except OSError:
        return False
    return True
