"""The first process of the node's namespaces: sets up their environment and runs the components.

`processes` runs it as `unshare … python -m gpu_inference_testing.embedded.node NAME STATE_FOLDER`. It writes
`ready` to standard output when the namespaces exist, and waits for `go`, which means that the link to the
host exists. It ends when it is killed or when a component ends; in the second case it writes the component's
exit status and the end of its log to the state folder. It is process 1 of its namespace, so the kernel kills
all other processes with it.

It uses the standard library only and imports everything first, because its mounts hide files below /tmp, /run
and /var/lib.
"""

import contextlib
import ctypes
import http.client
import itertools
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu_inference_testing.embedded.layout import (
    DEVICE_PLUGINS,
    NODE_CONTAINERD,
    NODE_COREDNS,
    NODE_KUBERNETES,
    NODE_STATE,
    SYSTEM_PATH,
    VOLUMES,
    StateFolder,
)

_STATE = StateFolder(NODE_STATE)
_TAIL_LINES = 20
_POLL_SECONDS = 0.1

# From <sys/mount.h>.
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_SHARED = 1, 32, 4096, 16384, 1 << 20

# The kubelet sets these sysctls of the whole machine if they have other values. Inside the node, files with
# these values are mounted over them, so that the kubelet changes nothing.
_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def main() -> None:
    """Run the node until it ends."""
    name, state = sys.argv[1], Path(sys.argv[2])
    # Separate from the log of unshare: this log is shown to the user after the node has ended.
    log = os.open(StateFolder(state).log("node"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 2)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    if sys.stdin.readline() != "go\n":
        sys.exit("The process that started this node has ended.")
    os.dup2(log, 1)
    record = json.loads(StateFolder(state).record.read_text())
    _set_up_environment(name, state, record)
    Node(_STATE, json.loads(_STATE.components.read_text())).run()


def _set_up_environment(name: str, state: Path, record: dict[str, str]) -> None:
    """Set up the node's folders, sysctls, host name and network."""
    socket.sethostname(name)
    # Opened before the mounts, which hide sources below /tmp or /run.
    sources = {
        NODE_STATE: state,
        NODE_KUBERNETES: Path(record["kubernetes"]),
        NODE_CONTAINERD: Path(record["containerd"]),
        NODE_COREDNS: Path(record["coredns"]),
    }
    opened = {target: os.open(source, os.O_PATH) for target, source in sources.items()}
    # Mounts by the kubelet must propagate to containers; unshare has made them private to the node.
    _mount(None, Path("/"), _MS_REC | _MS_SHARED)
    _mount("tmpfs", Path("/run"), kind="tmpfs", options="mode=755")
    _mount("tmpfs", Path("/dev/shm"), kind="tmpfs", options="mode=1777")
    for target, descriptor in opened.items():
        if sources[target].is_dir():
            target.mkdir(parents=True)
        else:
            target.touch()
        _mount(f"/proc/self/fd/{descriptor}", target, _MS_BIND | _MS_REC)
        os.close(descriptor)
    for folder, mode in (("/var/lib", 0o755), ("/var/log", 0o755), ("/tmp", 0o1777)):
        own = _STATE.data / folder.strip("/").replace("/", "-")
        own.mkdir(parents=True)
        own.chmod(mode)
        _mount(str(own), Path(folder), _MS_BIND)
    _protect_sysctls()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    _ip_batch(
        "link set lo up",
        f"address add {record['node_address']} dev eth0",
        "link set eth0 up",
        # The target does not matter, because kube-proxy redirects the packets. Without this route the API
        # server could not connect to the Services of webhooks and API extensions.
        f"route add {record['services']} dev eth0",
        # Pods reach the host at its end of the link; connections to anywhere else fail at once.
        "route add unreachable default",
    )
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _protect_sysctls() -> None:
    """Make the machine's sysctls read-only in the node, except those of the node's own network."""
    root = Path("/proc/sys")
    network = root / "net"
    _mount(str(network), network, _MS_BIND)
    writable = os.open(network, os.O_PATH)
    _mount(str(root), root, _MS_BIND)
    _mount(None, root, _MS_REMOUNT | _MS_BIND | _MS_RDONLY)
    _mount(f"/proc/self/fd/{writable}", network, _MS_BIND)
    os.close(writable)
    shown = Path("/run/sysctls")
    shown.mkdir()
    for sysctl, value in _SYSCTLS.items():
        file = shown / sysctl.replace("/", "_")
        file.write_text(value + "\n")
        _mount(str(file), root / sysctl, _MS_BIND)


class Node:
    """The running components."""

    def __init__(self, state: StateFolder, components: list[dict[str, Any]]) -> None:
        self._state = state
        self._components = components
        self._running: dict[int, str] = {}
        self._plugin_devices = 0

    def run(self) -> None:
        """Start the components and monitor them until one ends."""
        self._start_components(needing_api=False)
        context = ssl.create_default_context(cafile=str(self._state.pki / "ca.crt"))
        while not _api_ready(context):
            self._check()
            time.sleep(_POLL_SECONDS)
        self._start_components(needing_api=True)
        while True:
            self._check()
            self._update_gpu_plugin()
            _make_volumes_writable()
            time.sleep(_POLL_SECONDS)

    def _start_components(self, *, needing_api: bool) -> None:
        for component in self._components:
            if component["needs_api"] is needing_api:
                self._start(component["name"], component["command"])

    def _start(self, name: str, command: list[str]) -> None:
        log = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        environment = {
            "PATH": f"{NODE_CONTAINERD}:{SYSTEM_PATH}",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
        }
        try:
            pid = os.posix_spawn(
                command[0],
                command,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, str(self._state.log(name)), log, 0o644),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
            )
        except OSError as error:
            self._fail(name, f"could not be started: {error}")
        self._running[pid] = name

    def _check(self) -> None:
        """Reap orphans of containers and terminated components; end the node if a component has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (name := self._running.pop(pid, None)) is not None:
                code = os.waitstatus_to_exitcode(status)
                reason = f"exited with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
                self._fail(name, reason)

    def _fail(self, name: str, reason: str) -> None:
        log = self._state.log(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        # Drop the stack traces of a Go program's panic, which are long.
        message = list(itertools.takewhile(lambda line: not line.startswith("goroutine "), lines))
        tail = "\n".join(message[-_TAIL_LINES:]).strip() or "(empty)"
        self._state.failure.write_text(f"{name} {reason}. The end of its log:\n{tail}\n")
        sys.exit(1)

    def _update_gpu_plugin(self) -> None:
        """Run the fake device plugin with the number of devices in the state folder's file `gpu-plugin`."""
        try:
            wanted = int(self._state.gpu_plugin.read_text())
        except (FileNotFoundError, ValueError):
            wanted = 0
        if wanted == self._plugin_devices:
            return
        name = "fake-gpu-plugin"
        for pid in [pid for pid, component in self._running.items() if component == name]:
            del self._running[pid]
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
        if wanted:
            self._start(
                name,
                [
                    f"{NODE_KUBERNETES}/fake-gpu-plugin",
                    f"--socket-dir={DEVICE_PLUGINS}",
                    f"--count={wanted}",
                    "--resource=nvidia.com/gpu",
                ],
            )
        self._plugin_devices = wanted


def _make_volumes_writable() -> None:
    """Make volumes writable for pods that do not run as root; the provisioner creates them for root only."""
    try:
        volumes = list(VOLUMES.iterdir())
    except FileNotFoundError:
        return
    for volume in volumes:
        with contextlib.suppress(FileNotFoundError):  # The volume was removed meanwhile.
            if volume.stat().st_mode & 0o777 != 0o777:
                volume.chmod(0o777)


def _api_ready(context: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", 6443, timeout=2, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _mount(
    source: str | None, target: Path, flags: int = 0, kind: str | None = None, options: str = ""
) -> None:
    """Call mount(2). The program mount(8) would resolve /proc/self/fd/N to a path that is hidden by now."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = [None if word is None else word.encode() for word in (source, str(target), kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source or ''} on {target}: {os.strerror(number)}")


def _ip_batch(*commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


if __name__ == "__main__":
    main()
