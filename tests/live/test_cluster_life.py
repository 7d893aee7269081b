"""The embedded cluster: begun twice, interrupted, killed, starved of disk; nothing of it is ever left.

Each test has a cluster of its own, or none when it ends; whatever else runs on this machine stays.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from kubernetes import client, config
from tests import ctrl_c
from tests.live.addresses import free_block
from tests.live.node_tree import descendants

from gpu_inference.cluster import open_cluster
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import state_directory
from gpu_inference.process import run
from gpu_inference.progress import Progress
from gpu_inference_testing.embedded import network, pki, processes
from gpu_inference_testing.embedded.layout import StateFolder
from gpu_inference_testing.gpus import set_gpus
from gpu_inference_testing.toolchain import preflight

NAME = "gpu-life"
COMMAND = [
    sys.executable,
    "-c",
    "import sys; from gpu_inference.cli import main; sys.exit(main(sys.argv[1:]))",
    "cluster",
]
# What the kubelet, kube-proxy and the CNI plugins like to write.
SYSCTLS = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
]
FOLDERS = ["/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/run/containerd", "/tmp/hostpath_pv"]


@pytest.fixture
def block() -> str:
    """Addresses that are free on this host, for the test's cluster."""
    return free_block()


@pytest.fixture
def nothing_left(block: str) -> Iterator[None]:
    """Hold the test to it that the host is as it was before."""
    before = traces(block)
    yield
    after = traces(block)
    open_cluster("embedded", NAME).down()  # So that one failure is not the next test's as well.
    assert after == before


def traces(block: str) -> dict[str, object]:
    """Return what a cluster called NAME, with these addresses, could leave on this host.

    Other clusters may come and go meanwhile: of what they have too, only what is ours is looked at.
    """
    routes = run(["ip", "route", "show", "table", "all"]).splitlines()
    ours = block.partition(".0.")[0] + "."
    cgroups = Path("/sys/fs/cgroup")
    return {
        "node": processes.find(NAME, state_directory() / NAME),
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if NAME in line],
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir() if NAME in path.name),
        "routes": [line for line in routes if NAME in line or ours in line],
        "iptables": [line for line in run(["iptables-save"]).splitlines() if not line.startswith(("#", ":"))],
        "cgroups": sorted(str(path) for path in cgroups.glob(f"**/*{NAME}*")),
        "sysctls": {name: path.read_text() for name in SYSCTLS if (path := Path("/proc/sys", name)).exists()},
        "folders": [folder for folder in FOLDERS if Path(folder).exists()],
        "state": sorted(path.name for path in state_directory().glob(f"*{NAME}*")),
    }


def command(*words: str) -> "subprocess.Popen[str]":
    """Start `gpu-inference cluster …`, its progress in a pipe."""
    return ctrl_c.start(
        [*COMMAND, words[0], "--name", NAME, *words[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def node() -> processes.NodeProcesses:
    found = processes.find(NAME, state_directory() / NAME)
    assert found is not None
    return found


def first_node_id(kubeconfig: Path) -> str:
    """Return what tells this cluster from one that was made anew."""
    with config.new_client_from_config(str(kubeconfig)) as api:
        uid: str = client.CoreV1Api(api).read_node(NAME).metadata.uid
        return uid


def run_pod(kubeconfig: Path) -> None:
    with config.new_client_from_config(str(kubeconfig)) as api:
        core = client.CoreV1Api(api)
        container = {"name": "idle", "image": "localhost/gpu-inference-pause:1", "imagePullPolicy": "Never"}
        core.create_namespaced_pod(
            "default", {"metadata": {"name": "idle"}, "spec": {"containers": [container]}}
        )
        deadline = time.monotonic() + 60
        while core.read_namespaced_pod("idle", "default").status.phase != "Running":
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.usefixtures("nothing_left")
def test_nothing_of_a_used_cluster_is_left_after_down(block: str) -> None:
    cluster = open_cluster("embedded", NAME, address_range=block, progress=Progress())
    kubeconfig = cluster.up()
    set_gpus(cluster, 2)
    run_pod(kubeconfig)
    inside = descendants(node().launcher)
    running = traces(block)
    assert len(inside) > 10
    assert all(running[kind] for kind in ("node", "links", "routes", "cgroups", "state"))
    cluster.down()
    assert not any(descendants(pid) for pid in inside)
    cluster.down()


@pytest.mark.usefixtures("nothing_left")
def test_two_ups_at_once_make_one_cluster_and_a_third_finds_it(block: str) -> None:
    one, other = command("up", "--address-range", block), command("up", "--address-range", block)
    said = [process.communicate(timeout=300)[1] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], said
    assert sum(f"The cluster '{NAME}' is running." in text for text in said) == 1, said
    cluster = open_cluster("embedded", NAME)
    before = first_node_id(cluster.up())
    assert first_node_id(cluster.up()) == before
    with pytest.raises(GpuInferenceError, match="is running, with the address range"):
        open_cluster("embedded", NAME, address_range="10.77.0.0/16").up()
    cluster.down()


@pytest.mark.usefixtures("nothing_left")
def test_clusters_that_come_up_together_get_addresses_of_their_own() -> None:
    names = [f"{NAME}-1", f"{NAME}-2"]
    ups = [
        subprocess.Popen([*COMMAND, "up", "--name", name], stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    try:
        said = [up.communicate(timeout=300)[1] for up in ups]
        assert [up.returncode for up in ups] == [0, 0], said
        assert [open_cluster("embedded", name).status().node_ready for name in names] == [True, True]
    finally:
        for name in names:
            open_cluster("embedded", name).down()


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("step", ["Preparing", "Starting", "Waiting until", "Changing"])
def test_interrupted_up_leaves_nothing(step: str, block: str) -> None:
    process = command("up", "--address-range", block)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(f"• {step}"):
            process.send_signal(signal.SIGINT)
            break
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert said.endswith("gpu-inference: interrupted\n")


@pytest.mark.usefixtures("nothing_left")
def test_killed_up_leaves_a_cluster_that_the_next_up_completes(block: str) -> None:
    process = command("up", "--address-range", block)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("✓ Starting"):
            process.kill()
            break
    process.communicate(timeout=60)
    cluster = open_cluster("embedded", NAME, cpu_overcommit=True)
    run_pod(cluster.up())
    assert cluster.status().cpu_overcommitted
    cluster.down()


@pytest.mark.usefixtures("nothing_left")
def test_killed_node_is_noticed_at_once_and_made_anew(block: str) -> None:
    cluster = open_cluster("embedded", NAME, address_range=block)
    kubeconfig = cluster.up()
    before = first_node_id(kubeconfig)
    killed = node()
    os.kill(killed.launcher, signal.SIGKILL)
    processes.end(killed)
    with pytest.raises(GpuInferenceError, match=f"'{NAME}' is not running. It was killed"):
        set_gpus(cluster, 1)
    assert_refused_at_once(str(network.Network(IPv4Network(block)).node), 6443)
    status = cluster.status()
    assert not status.running
    assert status.problem == "It was killed, or this machine was restarted."
    assert first_node_id(cluster.up()) != before
    cluster.down()


def assert_refused_at_once(host: str, port: int) -> None:
    """Check that clients of a killed node get an error at once when the kernel has removed its network.

    The kernel does so some time after the last process has gone: a packet sent before is lost, not refused.
    """
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection((host, port), timeout=0.5).close()
        except TimeoutError:
            assert time.monotonic() < deadline
        except OSError as error:
            assert error.errno in (errno.EHOSTUNREACH, errno.ECONNREFUSED)  # noqa: PT017
            return
        else:
            pytest.fail("something answers in the killed node's place")


@pytest.mark.usefixtures("nothing_left")
def test_component_that_ends_ends_the_node_and_is_named(block: str) -> None:
    cluster = open_cluster("embedded", NAME, address_range=block)
    cluster.up()
    (scheduler,) = [pid for pid in descendants(node().launcher) if name_of(pid) == "kube-scheduler"]
    os.kill(scheduler, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while cluster.status().running:
        assert time.monotonic() < deadline
    problem = cluster.status().problem
    assert problem is not None
    assert problem.startswith("kube-scheduler was ended by SIGKILL. The end of its log:\n")
    cluster.down()


@pytest.mark.usefixtures("nothing_left")
def test_cluster_whose_certificates_expire_is_made_anew(block: str) -> None:
    cluster = open_cluster("embedded", NAME, address_range=block)
    before = first_node_id(cluster.up())
    pki.Authority(StateFolder(state_directory() / NAME).pki, valid=timedelta(hours=1))
    assert first_node_id(cluster.up()) != before
    cluster.down()


@pytest.mark.usefixtures("nothing_left")
def test_taken_address_range_stops_up(block: str) -> None:
    run(["ip", "link", "add", "gpu-taken", "type", "veth", "peer", "name", "gpu-taken-peer"])
    try:
        run(["ip", "address", "add", f"{IPv4Network(block)[5]}/24", "dev", "gpu-taken"])
        with pytest.raises(
            GpuInferenceError, match=f"The address range {block} overlaps .*, which this host uses"
        ):
            open_cluster("embedded", NAME, address_range=block).up()
    finally:
        run(["ip", "link", "delete", "gpu-taken"])


@pytest.mark.usefixtures("nothing_left")
def test_interface_of_the_clusters_name_is_not_touched(block: str) -> None:
    run(["ip", "link", "add", NAME, "type", "veth", "peer", "name", f"{NAME}-peer"])
    try:
        with pytest.raises(GpuInferenceError, match=f"already has a network interface called '{NAME}'"):
            open_cluster("embedded", NAME, address_range=block).up()
        assert network.link_exists(NAME)
    finally:
        run(["ip", "link", "delete", NAME])


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 32 MiB for the cluster's state."""
    run(["mount", "-t", "tmpfs", "-o", "size=32m", "gpu-small", tmp_path])
    monkeypatch.setenv("GPU_INFERENCE_STATE_DIR", str(tmp_path))
    yield tmp_path
    run(["umount", tmp_path])


@pytest.mark.usefixtures("nothing_left")
def test_disk_that_is_too_small_is_noticed_before_anything_is_made(small_disk: Path) -> None:
    with pytest.raises(GpuInferenceError, match=f"are needed for {small_disk}"):
        open_cluster("embedded", NAME).up()


@pytest.mark.usefixtures("nothing_left", "small_disk")
def test_disk_that_fills_up_stops_up_with_the_component_that_needed_it(
    block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "require", lambda: None)
    with pytest.raises(
        GpuInferenceError, match=r"could not be brought up: etcd .*(?s:.*)no space left on device"
    ):
        open_cluster("embedded", NAME, address_range=block).up()


def name_of(pid: int) -> str:
    return Path(os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0])).name
