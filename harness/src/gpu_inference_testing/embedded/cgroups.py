"""Manages the kubelet's cgroup folders: one per hierarchy on cgroup v1 (and hybrid), and one on v2."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError

# The controllers that limit pods.
_NEEDED = ("cpu", "cpuset", "memory", "pids")


@dataclass(frozen=True)
class Hierarchy:
    """A mounted cgroup file system."""

    path: Path
    version: int


def hierarchies(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Hierarchy]:
    """Return the cgroup hierarchies that are mounted on this machine."""
    found = []
    for line in mountinfo.read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind = right.split()[0]
        if kind in ("cgroup", "cgroup2"):
            found.append(Hierarchy(Path(left.split()[4]), 2 if kind == "cgroup2" else 1))
    return found


def create(name: str, where: Iterable[Hierarchy]) -> list[str]:
    """Create the folder `name` in every hierarchy, so that groups with limits can be created below it.

    Returns:
        The v2 controllers that this call enabled for the root's children, to be passed to `remove`.

    Raises:
        GpuInferenceError: a v2 controller cannot be enabled.
    """
    mounted = list(where)
    # On a hybrid machine the v1 hierarchies have the controllers, and v2 only tracks processes.
    unified = all(hierarchy.version == 2 for hierarchy in mounted)
    enabled: list[str] = []
    for hierarchy in mounted:
        folder = hierarchy.path / name
        if hierarchy.version == 1:
            folder.mkdir(exist_ok=True)
            # No process can join a new cpuset until it has CPUs and memory nodes.
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (folder / file).exists():
                    (folder / file).write_text((hierarchy.path / file).read_text())
        elif unified:
            enabled = _enable_controllers(hierarchy.path)
            folder.mkdir(exist_ok=True)
    return enabled


def _enable_controllers(root: Path) -> list[str]:
    available = (root / "cgroup.controllers").read_text().split()
    active = (root / "cgroup.subtree_control").read_text().split()
    missing = [controller for controller in _NEEDED if controller not in active]
    for controller in missing:
        if controller not in available:
            raise GpuInferenceError(
                f"The cgroup controller {controller!r} is not available in {root}.",
                "Enable it for this machine, or for the container that this runs in.",
            )
        try:
            (root / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            raise GpuInferenceError(
                f"The cgroup controller {controller!r} cannot be enabled in {root}: {error.strerror}.",
                "In a container, processes in the root cgroup prevent this: start it with --cgroupns=host.",
            ) from error
    return missing


def remove(
    name: str, where: Iterable[Hierarchy], enabled: Iterable[str] = (), timeout_seconds: float = 10
) -> None:
    """Remove the folder and everything below it, and disable the controllers that `create` enabled.

    Raises:
        GpuInferenceError: a group is still in use after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    for hierarchy in where:
        folder = hierarchy.path / name
        if not folder.exists():
            continue
        # A group stays busy until the kernel has removed the last killed process from it.
        while not _remove_tree(folder):
            if time.monotonic() > deadline:
                raise GpuInferenceError(
                    f"The cgroup {folder} is still in use after {timeout_seconds:.0f} s.",
                    f"End the processes listed in {folder}/**/cgroup.procs and run `cluster down` again.",
                )
            time.sleep(0.05)
        if hierarchy.version == 2:
            for controller in enabled:
                try:
                    (hierarchy.path / "cgroup.subtree_control").write_text(f"-{controller}")
                except OSError:
                    continue  # Other groups use the controller now, so it stays enabled.


def _remove_tree(folder: Path) -> bool:
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            Path(path).rmdir()
    except FileNotFoundError:
        return False  # The tree changed during the walk.
    except OSError:
        return False
    return True
