"""The kubelet's cgroup folders, on stand-ins for the file systems of cgroup v1, hybrid and v2.

The kernel's own part (a real hierarchy, processes in it) is in the live tests.
"""

from pathlib import Path

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference_testing.embedded import cgroups
from gpu_inference_testing.embedded.cgroups import Hierarchy

V1_LINE = "32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct"
V2_LINE = "25 24 0:22 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
OTHER_LINE = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw"


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n")
    return tmp_path


def test_hierarchies_are_those_that_are_mounted(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text("\n".join([OTHER_LINE, V1_LINE, V2_LINE]))
    assert cgroups.hierarchies(mountinfo) == [
        Hierarchy(Path("/sys/fs/cgroup/cpu,cpuacct"), 1),
        Hierarchy(Path("/sys/fs/cgroup/unified"), 2),
    ]


def test_v1_cpuset_gets_the_cpus_without_which_no_process_can_enter(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    folder.mkdir()
    for name, value in (("cpuset.cpus", "0-1\n"), ("cpuset.mems", "0\n")):
        (tmp_path / name).write_text(value)
        (folder / name).write_text("\n")  # As the kernel makes it.
    assert cgroups.create("lab", [Hierarchy(tmp_path, 1)]) == []
    assert (folder / "cpuset.cpus").read_text() == "0-1\n"
    assert (folder / "cpuset.mems").read_text() == "0\n"


def test_v2_turns_on_what_is_missing_and_says_what(v2: Path) -> None:
    assert cgroups.create("lab", [Hierarchy(v2, 2)]) == ["cpuset"]
    assert (v2 / "cgroup.subtree_control").read_text() == "+cpuset"
    assert (v2 / "lab").is_dir()


def test_v2_turns_off_again_what_was_turned_on(v2: Path) -> None:
    turned_on = cgroups.create("lab", [Hierarchy(v2, 2)])
    (v2 / "lab" / "kubepods" / "pod1").mkdir(parents=True)
    cgroups.remove("lab", [Hierarchy(v2, 2)], turned_on)
    assert not (v2 / "lab").exists()
    assert (v2 / "cgroup.subtree_control").read_text() == "-cpuset"


def test_hybrid_leaves_the_v2_hierarchy_alone(tmp_path: Path, v2: Path) -> None:
    v1 = tmp_path / "cpu"
    v1.mkdir()
    assert cgroups.create("lab", [Hierarchy(v1, 1), Hierarchy(v2, 2)]) == []
    assert (v2 / "cgroup.subtree_control").read_text() == "cpu memory pids\n"
    assert not (v2 / "lab").exists()


def test_controller_that_the_machine_lacks_is_named(v2: Path) -> None:
    (v2 / "cgroup.controllers").write_text("cpu memory pids\n")
    with pytest.raises(GpuInferenceError, match="'cpuset' is not available"):
        cgroups.create("lab", [Hierarchy(v2, 2)])


def test_group_that_stays_in_use_is_named(tmp_path: Path) -> None:
    busy = tmp_path / "lab" / "kubepods"
    busy.mkdir(parents=True)
    (busy / "held").touch()  # Keeps rmdir from working, as a process does in a real group.
    with pytest.raises(GpuInferenceError, match="lab is still in use"):
        cgroups.remove("lab", [Hierarchy(tmp_path, 1)], timeout_seconds=0.1)


def test_after_a_reboot_nothing_is_turned_off_that_others_turned_on(v2: Path) -> None:
    cgroups.remove("lab", [Hierarchy(v2, 2)], ["cpu"])
    assert (v2 / "cgroup.subtree_control").read_text() == "cpu memory pids\n"
