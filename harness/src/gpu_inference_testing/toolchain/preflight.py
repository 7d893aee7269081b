"""Looks whether the embedded cluster can run here, before anything is built or changed.

Each check takes its facts from parameters, and returns what is wrong with the one thing that cures it. What a
kernel can do is tried in namespaces that end with the trial, for no list of modules tells it reliably.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import cache_directory, state_directory
from gpu_inference.process import run
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain import programs
from gpu_inference_testing.toolchain.go_command import architecture, cache_folders, find_go, version_key

_GIGABYTE = 10**9

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Searched after PATH: a shell that is root's only by `su` does not have the sbin folders."""

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
"""Where Debian, and others, put the CNI plugins."""

# From linux/capability.h.
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}

# What the kubelet and runc limit and freeze containers with. On v2 devices are guarded and processes frozen
# without a controller.
_CONTROLLERS_V1 = ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")
_CONTROLLERS_V2 = ("cpu", "cpuset", "memory", "pids")

_SERVICE_RULE = (
    *("-m", "comment", "--comment", "trial"),
    *("-m", "conntrack", "--ctstate", "NEW"),
    *("-m", "mark", "--mark", "0x4000"),
    *("-m", "statistic", "--mode", "random", "--probability", "0.5"),
    *("-j", "MASQUERADE", "--random-fully"),
)


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way."""

    what: str
    """A sentence."""
    cure: str
    """The one command that removes it, or where there is none the one thing to do."""


def check() -> list[Problem]:
    """Return everything that keeps the embedded cluster from running here; changes nothing."""
    if problems := operating_system():
        return problems
    found = [*privileges(), *go(), *packages(versions.CLUSTER_PACKAGES), *cgroups(), *disk(_disk_needs())]
    # What the kernel can do is asked through those packages, as root.
    return found or [*network_devices(), *iptables(), *overlay(state_directory())]


def require() -> None:
    """Do nothing where the embedded cluster can run.

    Raises:
        GpuInferenceError: it cannot; all reasons at once, each with its cure.
    """
    refuse(check())


def refuse(problems: Sequence[Problem]) -> None:
    """Raise one error for all problems, each with its cure; do nothing where there is none."""
    if not problems:
        return
    if len(problems) == 1:
        raise GpuInferenceError(problems[0].what, problems[0].cure)
    lines = [f"- {problem.what}\n    {problem.cure}" for problem in problems]
    raise GpuInferenceError("\n".join(["The embedded cluster cannot run on this machine:", *lines]))


def operating_system(system: str | None = None, machine: str | None = None) -> list[Problem]:
    """Check that this is Linux, on a processor that Helm and kubectl are fetched for."""
    system, machine = system or platform.system(), machine or platform.machine()
    if (system, machine) == ("Linux", "x86_64"):
        return []
    return [
        Problem(
            f"The embedded cluster runs on Linux on x86_64, and this is {system} on {machine}.",
            "gpu-inference cluster up --provider kind",
        )
    ]


def privileges(user: int | None = None, status: Path = Path("/proc/self/status")) -> list[Problem]:
    """Check for root with the capabilities to make namespaces, mounts and network interfaces."""
    if (os.geteuid() if user is None else user) != 0:
        return [
            Problem(
                "The embedded cluster needs root: it makes namespaces, mounts and network interfaces.",
                'sudo -E env "PATH=$PATH" gpu-inference cluster up',
            )
        ]
    effective = 0
    for line in status.read_text().splitlines():
        if line.startswith("CapEff:"):
            effective = int(line.split()[1], 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if not missing:
        return []
    return [
        Problem(
            f"This process is root but lacks {' and '.join(missing)}.",
            "Start the container that it runs in with --privileged.",
        )
    ]


def go(search_path: str | None = None) -> list[Problem]:
    """Check for a Go that is new enough."""
    found = find_go(search_path)
    if found is None:
        what = f"Go is not installed, or not on PATH; {versions.GO_MINIMUM} or newer is needed."
    elif version_key(found.version) < version_key(versions.GO_MINIMUM):
        what = f"{found.program} is Go {found.version}; {versions.GO_MINIMUM} or newer is needed."
    else:
        return []
    archive = f"https://go.dev/dl/go{versions.GO}.linux-{architecture()}.tar.gz"
    return [Problem(what, f"rm -rf /usr/local/go && curl -fsSL {archive} | tar -xzC /usr/local")]


def packages(
    needed: Mapping[str, str],
    search_path: str | None = None,
    cni_folders: Sequence[Path] = CNI_FOLDERS,
) -> list[Problem]:
    """Check for programs; `needed` says which Debian package has each."""
    missing = missing_packages(needed, search_path, cni_folders)
    if not missing:
        return []
    return [Problem(f"Not installed: {', '.join(missing)}.", "gpu-inference cluster setup")]


def missing_packages(
    needed: Mapping[str, str],
    search_path: str | None = None,
    cni_folders: Sequence[Path] = CNI_FOLDERS,
) -> list[str]:
    """Return the Debian packages of the programs that are not here, whoever installed those that are."""
    if search_path is None:
        search_path = os.pathsep.join([os.environ.get("PATH", ""), _SYSTEM_PATH])
    places = os.pathsep.join([search_path, *map(str, cni_folders)])
    return sorted(
        {package for program, package in needed.items() if shutil.which(program, path=places) is None}
    )


def cgroups(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Problem]:
    """Check that containers can be limited: every controller is there and can be written, on v1 or v2."""
    v1: dict[str, bool] = {}
    v2: dict[str, bool] = {}
    for line in mountinfo.read_text().splitlines():
        mount, _, file_system = line.partition(" - ")
        kind, _, super_options = file_system.split(maxsplit=2)
        writable = "ro" not in mount.split()[5].split(",")
        if kind == "cgroup":
            v1 |= dict.fromkeys(super_options.split(","), writable)
        elif kind == "cgroup2":
            listed = Path(mount.split()[4], "cgroup.controllers")
            v2 = dict.fromkeys(listed.read_text().split() if listed.is_file() else [], writable)
    # A hybrid machine has its controllers on v1, and on v2 at most those that v1 left.
    version, present, wanted = ("v1", v1, _CONTROLLERS_V1) if "memory" in v1 else ("v2", v2, _CONTROLLERS_V2)
    cure = "Start the container that this runs in with --privileged --cgroupns=host."
    if missing := [name for name in wanted if name not in present]:
        return [Problem(f"cgroup {version} has no controller {', '.join(missing)} here.", cure)]
    if not all(present[name] for name in wanted):
        return [Problem(f"cgroup {version} is mounted read-only here.", cure)]
    return []


def disk(needs: Mapping[Path, int]) -> list[Problem]:
    """Check for free space: `needs` gives the bytes that are going to be written under each folder."""
    needed: dict[int, int] = {}
    folders: dict[int, list[Path]] = {}
    for folder, size in needs.items():
        device = _existing(folder).stat().st_dev
        needed[device] = needed.get(device, 0) + size
        folders.setdefault(device, []).append(folder)
    problems = []
    for device, size in needed.items():
        free = shutil.disk_usage(_existing(folders[device][0])).free
        if free < size:
            names = ", ".join(map(str, folders[device]))
            problems.append(
                Problem(
                    f"{size / _GIGABYTE:.1f} GB are needed for {names}; {free / _GIGABYTE:.1f} GB are free.",
                    "Free some, or name folders on a larger disk: "
                    "export GPU_INFERENCE_CACHE_DIR=… GPU_INFERENCE_STATE_DIR=… GOCACHE=… GOMODCACHE=…",
                )
            )
    return problems


def _disk_needs() -> dict[Path, int]:
    needs = {state_directory(): 2 * _GIGABYTE}
    found = find_go()
    if found is not None and not programs.are_built():
        build_cache, module_cache = cache_folders(found)
        needs |= {
            cache_directory(): _GIGABYTE // 2,
            build_cache: 5 * _GIGABYTE,
            module_cache: 3 * _GIGABYTE // 2,
        }
    return needs


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def network_devices(kinds: Sequence[str] = ("veth",)) -> list[Problem]:
    """Check that the kernel makes the network interfaces that pods are joined with."""
    problems = []
    for kind in kinds:
        try:
            run(["unshare", "--net", "ip", "link", "add", "name", "trial", "type", kind])
        except GpuInferenceError as error:
            problems.append(
                Problem(f"The kernel makes no network interface of type {kind}: {error}", f"modprobe {kind}")
            )
    return problems


def iptables(rule: Sequence[str] = _SERVICE_RULE) -> list[Problem]:
    """Check that the kernel has what kube-proxy's and the CNI plugins' rules are made of."""
    try:
        run(["unshare", "--net", "iptables", "--table", "nat", "--append", "POSTROUTING", *rule])
    except GpuInferenceError as error:
        return [Problem(f"The kernel refuses a rule like those of Services: {error}", "modprobe iptable_nat")]
    return []


def overlay(folder: Path) -> list[Problem]:
    """Check that containers' layers can be laid over each other under `folder` (made only for the trial)."""
    layers = "lowerdir=lower,upperdir=upper,workdir=work"
    script = f"mkdir lower upper work merged && mount -t overlay trial merged -o {layers}"
    try:
        with tempfile.TemporaryDirectory(dir=_existing(folder), prefix=".gpu-inference-") as trial:
            run(["unshare", "--mount", "sh", "-c", script], cwd=Path(trial))
    except (GpuInferenceError, OSError) as error:
        return [
            Problem(
                f"No overlay can be mounted under {folder}: {error}",
                "Name a folder on ext4 or xfs: export GPU_INFERENCE_STATE_DIR=FOLDER",
            )
        ]
    return []
