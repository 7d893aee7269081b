"""Preflight: each thing that can be missing is found, and named with what cures it."""

import os
from pathlib import Path

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference.progress import Silent
from gpu_inference_testing import versions
from gpu_inference_testing.toolchain import debian, preflight

_V1 = ("blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids")


def _program(path: Path, script: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("system", "machine"), [("Darwin", "arm64"), ("Windows", "AMD64"), ("Linux", "aarch64")]
)
def test_another_system_or_processor_is_sent_to_kind(system: str, machine: str) -> None:
    (problem,) = preflight.operating_system(system, machine)
    assert f"this is {system} on {machine}" in problem.what
    assert problem.cure == "gpu-inference cluster up --provider kind"


def test_linux_will_do() -> None:
    assert preflight.operating_system("Linux", "x86_64") == []


def test_a_user_who_is_not_root_is_told_to_use_sudo() -> None:
    (problem,) = preflight.privileges(user=1000)
    assert "needs root" in problem.what
    assert problem.cure.startswith("sudo ")


@pytest.mark.parametrize(
    ("effective", "lacking"),
    [
        ("00000000a80425fb", ["CAP_NET_ADMIN and CAP_SYS_ADMIN"]),  # What Docker gives.
        ("00000000a80435fb", ["CAP_SYS_ADMIN"]),
        ("000001fffeffffff", []),  # All but CAP_SYS_RESOURCE, which the cluster does without.
    ],
)
def test_root_without_a_capability_is_told_which(tmp_path: Path, effective: str, lacking: list[str]) -> None:
    status = tmp_path / "status"
    status.write_text(
        f"Name:\tpython\nCapPrm:\tffffffffffffffff\nCapEff:\t{effective}\nCapBnd:\tffffffffffffffff\n"
    )
    problems = preflight.privileges(0, status)
    assert [problem.what for problem in problems] == [
        f"This process is root but lacks {names}." for names in lacking
    ]


def test_a_machine_without_go_is_told_how_to_install_it(tmp_path: Path) -> None:
    (problem,) = preflight.go(str(tmp_path))
    assert f"{versions.GO_MINIMUM} or newer is needed" in problem.what
    assert f"go{versions.GO}.linux-amd64.tar.gz | tar -xzC /usr/local" in problem.cure


def test_a_go_that_is_too_old_is_named_with_its_version(tmp_path: Path) -> None:
    go = _program(tmp_path / "bin" / "go")
    (tmp_path / "VERSION").write_text("go1.19.8\ntime 2023-04-04T00:00:00Z\n")
    (problem,) = preflight.go(str(tmp_path / "bin"))
    assert problem.what == f"{go} is Go 1.19.8; {versions.GO_MINIMUM} or newer is needed."


@pytest.mark.parametrize("version", [versions.GO_MINIMUM, "1.27rc1", "2.0"])
def test_a_go_that_is_new_enough_will_do(tmp_path: Path, version: str) -> None:
    _program(tmp_path / "bin" / "go")
    (tmp_path / "VERSION").write_text(f"go{version}\n")
    assert preflight.go(str(tmp_path / "bin")) == []


def test_missing_programs_are_named_by_their_package_once(tmp_path: Path) -> None:
    _program(tmp_path / "sbin" / "runc")
    _program(tmp_path / "cni" / "ptp")
    (problem,) = preflight.packages(versions.CLUSTER_PACKAGES, str(tmp_path / "sbin"), [tmp_path / "cni"])
    assert problem.what == "Not installed: containernetworking-plugins, iproute2, iptables, util-linux."
    assert problem.cure == "gpu-inference cluster setup"


def test_a_program_may_come_from_elsewhere_than_debian(tmp_path: Path) -> None:
    for program in versions.CLUSTER_PACKAGES:
        _program(tmp_path / "bin" / program)
    assert preflight.packages(versions.CLUSTER_PACKAGES, str(tmp_path / "bin"), []) == []


def _mount(path: Path, kind: str, options: str, mode: str = "rw") -> str:
    return f"32 31 0:29 / {path} {mode},nosuid,relatime shared:9 - {kind} {kind} {options}\n"


def test_cgroup_v1_with_all_controllers_will_do_alone_or_beside_an_empty_v2(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("".join(_mount(tmp_path / name, "cgroup", f"rw,{name}") for name in _V1))
    assert preflight.cgroups(mountinfo) == []
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("\n")
    mountinfo.write_text(mountinfo.read_text() + _mount(tmp_path / "unified", "cgroup2", "rw,nsdelegate"))
    assert preflight.cgroups(mountinfo) == []


def test_a_controller_that_cgroup_v1_lacks_is_named(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        "".join(_mount(tmp_path / n, "cgroup", f"rw,{n}") for n in _V1 if n not in ("pids", "cpu"))
    )
    (problem,) = preflight.cgroups(mountinfo)
    assert problem.what == "cgroup v1 has no controller cpu, pids here."


def test_cgroup_v2_with_its_controllers_will_do_and_one_that_it_lacks_is_named(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(_mount(tmp_path, "cgroup2", "rw,nsdelegate"))
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    assert preflight.cgroups(mountinfo) == []
    (tmp_path / "cgroup.controllers").write_text("cpu io memory\n")
    (problem,) = preflight.cgroups(mountinfo)
    assert problem.what == "cgroup v2 has no controller cpuset, pids here."


def test_cgroups_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(_mount(tmp_path, "cgroup2", "rw", mode="ro"))
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu memory pids\n")
    (problem,) = preflight.cgroups(mountinfo)
    assert "cgroup v2 is mounted read-only" in problem.what


def test_a_disk_that_is_too_small_for_all_of_its_folders_together_is_named(tmp_path: Path) -> None:
    half = 600 * os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize // 1000
    assert preflight.disk({tmp_path / "made" / "later": half}) == []
    (problem,) = preflight.disk({tmp_path / "made" / "later": half, tmp_path: half})
    assert f"GB are needed for {tmp_path}/made/later, {tmp_path};" in problem.what
    assert "GPU_INFERENCE_CACHE_DIR" in problem.cure


# The trials below ask the real kernel. Without root it refuses already the trial, which is a problem as well.


def test_a_kind_of_network_interface_that_the_kernel_lacks_is_named() -> None:
    (problem,) = preflight.network_devices(["no-such-kind"])
    assert "cannot create a network interface of type no-such-kind: unshare --net ip link add" in problem.what
    assert problem.cure == "modprobe no-such-kind"


def test_a_rule_that_the_kernel_refuses_is_shown() -> None:
    (problem,) = preflight.iptables(["-m", "no-such-match"])
    rejected = "The kernel rejects an iptables rule like those of Services: unshare --net iptables"
    assert problem.what.startswith(rejected)


def test_a_folder_that_cannot_hold_overlays_is_named() -> None:
    (problem,) = preflight.overlay(Path("/proc/gpu-inference"))
    assert problem.what.startswith("No overlay can be mounted under /proc/gpu-inference: ")
    assert "GPU_INFERENCE_STATE_DIR" in problem.cure


def test_all_problems_come_in_one_error() -> None:
    two = [preflight.Problem("One is wrong.", "mend one"), preflight.Problem("So is two.", "mend two")]
    with pytest.raises(
        GpuInferenceError, match=r"cannot run.*:\n- One is wrong\.\n    mend one\n- So is two\.\n    mend"
    ):
        preflight.refuse(two)
    with pytest.raises(GpuInferenceError, match=r"^One is wrong\.\n  mend one$"):
        preflight.refuse(two[:1])


def test_no_problem_is_no_error() -> None:
    preflight.refuse([])


def test_packages_are_installed_without_questions_or_recommended_ones(tmp_path: Path) -> None:
    log = tmp_path / "log"
    apt = _program(tmp_path / "apt-get", f'echo "$DEBIAN_FRONTEND: $*" >> {log}')
    debian.install(["runc", "iptables"], Silent(), user=0, apt=str(apt))
    assert log.read_text().splitlines() == [
        "noninteractive: -o DPkg::Lock::Timeout=300 update",
        "noninteractive: -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends runc iptables",
    ]


def test_what_apt_says_when_it_fails_is_shown(tmp_path: Path) -> None:
    apt = _program(tmp_path / "apt-get", "echo 'E: Unable to locate package runc' >&2; exit 100")
    with pytest.raises(GpuInferenceError, match=r"exited with 100:\nE: Unable to locate package runc"):
        debian.install(["runc"], Silent(), user=0, apt=str(apt))


def test_on_another_system_than_debian_the_packages_are_named() -> None:
    with pytest.raises(
        GpuInferenceError, match=r"Not installed: runc, buildah; they can be installed here only on Debian"
    ):
        debian.install(["runc", "buildah"], Silent(), apt="no-such-apt")


def test_a_user_who_is_not_root_cannot_install(tmp_path: Path) -> None:
    apt = _program(tmp_path / "apt-get")
    with pytest.raises(GpuInferenceError, match=r"only root can install them\.\n  sudo .*cluster setup"):
        debian.install(["runc"], Silent(), user=1000, apt=str(apt))
    with pytest.raises(GpuInferenceError, match=r"\n  sudo .* python -m tests\.browser$"):
        debian.install(["chromium"], Silent(), user=1000, apt=str(apt), command="python -m tests.browser")
