"""Checks whether the embedded cluster can run on this machine, before anything is built or changed.

Each check returns problems together with a command that fixes them. Kernel features are tested by using them
in temporary namespaces, because lists of modules are not reliable.
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
"""Searched after PATH: after `su`, root's PATH lacks the sbin folders."""

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
"""Folders of the CNI plugins on Debian and on other distributions."""

# From linux/capability.h.
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}

# The controllers that the kubelet and runc need. On v2, devices and freezing need no controller.
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
    """Something that prevents the embedded cluster from running."""

    what: str
    """What is wrong, as a sentence."""
    cure: str
    """The command that fixes it, or the action if there is no command."""


def check() -> list[Problem]:
    """Return all problems that prevent the embedded cluster from running; change nothing."""
    if problems := operating_system():
        return problems
    found = [*privileges(), *go(), *packages(versions.CLUSTER_PACKAGES), *cgroups(), *disk(_disk_needs())]
    # The kernel checks need root and those packages.
    return found or [*network_devices(), *iptables(), *overlay(state_directory())]


def require() -> None:
    """Check that the embedded cluster can run.

    Raises:
        GpuInferenceError: it cannot; the message lists all problems and how to fix them.
    """
    refuse(check())


def refuse(problems: Sequence[Problem]) -> None:
    """Raise one error that lists all problems and how to fix them; do nothing if there are none."""
    if not problems:
        return
    if len(problems) == 1:
        raise GpuInferenceError(problems[0].what, problems[0].cure)
    lines = [f"- {problem.what}\n    {problem.cure}" for problem in problems]
    raise GpuInferenceError("\n".join(["The embedded cluster cannot run on this machine:", *lines]))


def operating_system(system: str | None = None, machine: str | None = None) -> list[Problem]:
    """Check that this is Linux on x86_64, the platform that Helm and kubectl are fetched for."""
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
    """Check for root with the capabilities to create namespaces, mounts and network interfaces."""
    if (os.geteuid() if user is None else user) != 0:
        return [
            Problem(
                "The embedded cluster needs root: it creates namespaces, mounts and network interfaces.",
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
            "Start this container with --privileged.",
        )
    ]


def go(search_path: str | None = None) -> list[Problem]:
    """Check that Go is installed and new enough."""
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
    """Check that the programs are installed; `needed` maps programs to Debian packages."""
    missing = missing_packages(needed, search_path, cni_folders)
    if not missing:
        return []
    return [Problem(f"Not installed: {', '.join(missing)}.", "gpu-inference cluster setup")]


def missing_packages(
    needed: Mapping[str, str],
    search_path: str | None = None,
    cni_folders: Sequence[Path] = CNI_FOLDERS,
) -> list[str]:
    """Return the Debian packages of missing programs; a program may also be installed by other means."""
    if search_path is None:
        search_path = os.pathsep.join([os.environ.get("PATH", ""), _SYSTEM_PATH])
    folders = os.pathsep.join([search_path, *map(str, cni_folders)])
    return sorted(
        {package for program, package in needed.items() if shutil.which(program, path=folders) is None}
    )


def cgroups(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Problem]:
    """Check that all cgroup controllers are available and writable, on v1 or v2."""
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
    # A hybrid machine has its controllers on v1, and on v2 only those that v1 does not use.
    version, present, wanted = ("v1", v1, _CONTROLLERS_V1) if "memory" in v1 else ("v2", v2, _CONTROLLERS_V2)
    cure = "Start the container that this runs in with --privileged --cgroupns=host."
    if missing := [name for name in wanted if name not in present]:
        return [Problem(f"cgroup {version} has no controller {', '.join(missing)} here.", cure)]
    if not all(present[name] for name in wanted):
        return [Problem(f"cgroup {version} is mounted read-only here.", cure)]
    return []


def disk(needs: Mapping[Path, int]) -> list[Problem]:
    """Check for free disk space; `needs` is the number of bytes that will be written below each folder."""
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
                    "Free some space, or use folders on a larger disk: "
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
    """Check that the kernel can create the network interfaces that connect pods."""
    problems = []
    for kind in kinds:
        try:
            run(["unshare", "--net", "ip", "link", "add", "name", "trial", "type", kind])
        except GpuInferenceError as error:
            problems.append(
                Problem(
                    f"The kernel cannot create a network interface of type {kind}: {error}",
                    f"modprobe {kind}",
                )
            )
    return problems


def iptables(rule: Sequence[str] = _SERVICE_RULE) -> list[Problem]:
    """Check that the kernel supports the iptables rules of kube-proxy and the CNI plugins."""
    try:
        run(["unshare", "--net", "iptables", "--table", "nat", "--append", "POSTROUTING", *rule])
    except GpuInferenceError as error:
        return [
            Problem(
                f"The kernel rejects an iptables rule like those of Services: {error}", "modprobe iptable_nat"
            )
        ]
    return []


def overlay(folder: Path) -> list[Problem]:
    """Check that an overlay can be mounted below `folder`, which need not exist; use a temporary folder."""
    layers = "lowerdir=lower,upperdir=upper,workdir=work"
    script = f"mkdir lower upper work merged && mount -t overlay trial merged -o {layers}"
    try:
        with tempfile.TemporaryDirectory(dir=_existing(folder), prefix=".gpu-inference-") as trial:
            run(["unshare", "--mount", "sh", "-c", script], cwd=Path(trial))
    except (GpuInferenceError, OSError) as error:
        return [
            Problem(
                f"No overlay can be mounted under {folder}: {error}",
                "Use a folder on ext4 or xfs: export GPU_INFERENCE_STATE_DIR=FOLDER",
            )
        ]
    return []
