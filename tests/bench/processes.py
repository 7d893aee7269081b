"""What a server's process and all its descendants cost: processor time, memory."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Memory:
    """Memory of a tree of processes, in megabytes."""

    rss: float
    """Sum of what each has in memory: shared pages count once for each process."""
    pss: float
    """Shared pages divided among those that share them."""
    processes: int


def tree(root: int) -> list[int]:
    """Return a process and all its descendants."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError):
            for task in (_PROC / str(pid) / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return found


class CpuMeter:
    """Counts the processor time of a tree from the moment it is made."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._before = {pid: _cpu_ns(pid) for pid in tree(root)}

    def microseconds(self) -> list[float]:
        """Return what each process that lives now has used since; one that began later counts whole."""
        return [(_cpu_ns(pid) - self._before.get(pid, 0)) / 1000 for pid in tree(self._root)]


def _cpu_ns(pid: int) -> int:
    # Linux's clock of another process (CPUCLOCK_SCHED): exact, where /proc counts hundredths of a second.
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def memory(root: int) -> Memory:
    """Return what a tree of processes has in memory now."""
    rss = pss = 0.0
    processes = tree(root)
    for pid in processes:
        with contextlib.suppress(OSError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in ("Rss", "Pss"):
                    megabytes = int(rest.split()[0]) / 1024
                    rss, pss = (rss + megabytes, pss) if name == "Rss" else (rss, pss + megabytes)
    return Memory(rss, pss, len(processes))


def two_cores() -> tuple[int, int]:
    """Return the cores for server and clients.

    Raises:
        ValueError: this process may use one only.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ValueError("one core")
    return cores[0], cores[1]
