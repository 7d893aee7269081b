"""The embedded cluster: starts its node, waits until it is ready, and removes it."""

import errno
import json
import re
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path

import urllib3
from kubernetes import client

from gpu_inference.cache import file_lock
from gpu_inference.cluster import DEFAULT_NAME, ClusterStatus, LocalImage
from gpu_inference.cluster import api as api_server
from gpu_inference.cluster.providers import cluster_entry
from gpu_inference.errors import GpuInferenceError
from gpu_inference.paths import state_directory
from gpu_inference.progress import Progress, Silent
from gpu_inference_testing import gpus
from gpu_inference_testing.embedded import cgroups, configuration, defaults, network, pki, processes
from gpu_inference_testing.embedded.components import components
from gpu_inference_testing.embedded.images import ImageStore, write_pause_archive
from gpu_inference_testing.embedded.layout import StateFolder
from gpu_inference_testing.embedded.record import Record
from gpu_inference_testing.toolchain import preflight
from gpu_inference_testing.toolchain.programs import Programs, build_programs

_START_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.1
_TAIL_LINES = 20
# After `up` the certificates are valid for at least this long.
_RENEW_BEFORE = timedelta(days=1)
# The kernel's maximum.
_MAX_OPEN_FILES = 1_048_576


class EmbeddedCluster:
    """A single-node Kubernetes cluster on this machine.

    Args:
        name: name of the cluster, its node and the host's network interface: 1 to 15 lower-case letters,
            digits and hyphens.
        cpu_overcommit: whether to lower the CPU requests of new pods. Default: unchanged for a running
            cluster, true for a new one.
        address_range: a free block of IPv4 addresses, at least a /22. Default: a free block is chosen.
        progress: receives the steps. Default: they are not shown.

    Raises:
        GpuInferenceError: the name is invalid.
    """

    options = frozenset({"cpu_overcommit", "address_range"})

    def __init__(
        self,
        *,
        name: str = DEFAULT_NAME,
        cpu_overcommit: bool | None = None,
        address_range: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,13}[a-z0-9])?", name):
            raise GpuInferenceError(
                f"The cluster name {name!r} is not valid.",
                "Use 1 to 15 lower-case letters, digits and hyphens, starting with a letter: "
                "it is also the name of a network interface.",
            )
        self.name = name
        self._cpu_overcommit = cpu_overcommit
        self._address_range = address_range
        self._progress = progress or Silent()
        self._state = StateFolder(state_directory() / name)
        self._cgroup = f"gpu-inference.{name}"

    # ---- public methods

    def up(self) -> Path:
        """Bring the cluster up if it is not running, wait until it can run pods, return its kubeconfig.

        If this fails or is interrupted, a new cluster is removed again.

        Raises:
            GpuInferenceError: this machine does not meet the requirements, the address range is in use, or a
                component ended (the message contains the end of its log).
        """
        programs = self._prepare() if self._node() is None else None
        with self._locked():
            if self._node() is not None and self._certificates_expire():
                self._progress.say(
                    f"The certificates of the cluster {self.name!r} expire soon; it is created again."
                )
                self._remove()
            if self._node() is not None:
                self._refuse_other_address_range()
                self._progress.say(f"The cluster {self.name!r} is running.")
                self._finish(self._cpu_overcommit)
            else:
                programs = programs or self._prepare()
                try:
                    self._start(programs)
                    self._finish(True if self._cpu_overcommit is None else self._cpu_overcommit)
                except BaseException as error:
                    failure = self._failure_message()
                    self._remove()
                    if failure and isinstance(error, GpuInferenceError):
                        raise GpuInferenceError(
                            f"The cluster {self.name!r} could not be brought up: {failure}"
                        ) from error
                    raise
        return self._state.kubeconfig

    def down(self) -> None:
        """Remove the cluster, its processes and its files; do nothing if it does not exist.

        Raises:
            GpuInferenceError: a part of it could not be removed.
        """
        if self._node() is None and not self._state.root.exists():
            self._progress.say(f"There is no cluster {self.name!r}.")
            return
        with self._locked(), self._progress.step(f"Removing the cluster {self.name!r}"):
            self._remove()

    def status(self) -> ClusterStatus:
        """Return the cluster's status."""
        if self._node() is None:
            return ClusterStatus.not_running("embedded", self.name, self._why_it_ended())
        status = ClusterStatus.not_running("embedded", self.name)
        status = replace(status, running=True, kubeconfig=self._state.kubeconfig)
        try:
            with self._api() as api:
                status = replace(
                    status,
                    kubernetes=api_server.server_version(api),
                    cpu_overcommitted=defaults.is_cpu_overcommitted(api),
                )
                if (node := api_server.find_node(api, self.name)) is None:
                    return status
        except GpuInferenceError as error:
            return replace(status, problem=error.what)
        return replace(
            status,
            node_ready=api_server.is_node_ready(node),
            gpus=api_server.gpus_of(node),
            gpu_product=api_server.gpu_product_of(node),
        )

    def load_image(self, image: LocalImage) -> bool:
        """Import an image into the node unless it has the same one; return whether it was imported.

        Raises:
            GpuInferenceError: the cluster is not running, or containerd rejects the image.
        """
        images = self._images()
        with self._progress.step(f"Loading {image.reference}"), self._disk_errors():
            return images.load(image)

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:
        """Return whether the cluster is running and this kubeconfig (or a copy of its own) connects to it."""
        own = cluster_entry(self._state.kubeconfig)
        return bool(own) and own == cluster_entry(kubeconfig, context) and self._node() is not None

    def set_gpus(self, count: int, product: str = gpus.DEFAULT_PRODUCT, mode: gpus.Mode = "patch") -> None:
        """Make the node advertise `count` simulated GPUs of a product; 0 removes them.

        Raises:
            GpuInferenceError: the cluster is not running, the node has real GPUs, or the mode is `patch`
                after the mode `plugin` was used.
        """
        with self._api() as api:
            plugin_used = self._state.gpu_plugin.exists()
            if mode == "plugin" or (plugin_used and count == 0):
                self._set_gpus_by_plugin(api, count, product)
            elif plugin_used:
                raise GpuInferenceError(
                    f"The mode `plugin` was used on the cluster {self.name!r}: its kubelet now sets the "
                    "number of GPUs and undoes a patch.",
                    "Use the mode `plugin`, or create the cluster again: gpu-inference cluster down",
                )
            else:
                gpus.advertise_by_patch(api, count, product)

    # ---- bringing up

    def _prepare(self) -> Programs:
        preflight.require()
        return build_programs(self._progress)

    def _start(self, programs: Programs) -> None:
        if self._state.root.exists():
            self._progress.say(f"Removing the remains of an earlier cluster {self.name!r}.")
            self._remove()
        # Another cluster could choose the same addresses until this one has its routes.
        choosing = self._state.root.with_name(".addresses.lock")
        waiting = "Waiting for another cluster that chooses its addresses"
        with temporary_lock(choosing, waiting, self._progress):
            self._start_node(programs)
        with self._progress.step("Starting etcd, containerd and the API server"), self._api() as api:
            self._wait(lambda: api_server.is_ready(api), "kube-apiserver")

    def _start_node(self, programs: Programs) -> None:
        used = network.addresses_in_use()
        addresses = (
            network.from_option(self._address_range, used) if self._address_range else network.choose(used)
        )
        if network.link_exists(self.name):
            raise GpuInferenceError(
                f"This host already has a network interface called {self.name!r}.",
                "Choose another name for the cluster (--name).",
            )
        with self._progress.step(f"Preparing the node {self.name!r} ({addresses.block})"):
            self._write_state(addresses, programs)
            processes.start(
                self.name,
                self._state.root,
                self._state.log("unshare"),
                lambda pid: network.connect(addresses, self.name, pid),
            )

    def _write_state(self, addresses: network.Network, programs: Programs) -> None:
        state = self._state
        state.root.mkdir(mode=0o700, parents=True)
        record = Record(addresses, programs.kubernetes, programs.containerd, programs.coredns)
        record.save(state.record)
        controllers = cgroups.create(self._cgroup, cgroups.hierarchies())
        replace(record, cgroup_controllers=controllers).save(state.record)
        for folder in (state.logs, state.data):
            folder.mkdir()
        pki.create(state.pki, self.name, addresses.node, addresses.api_service)
        shutil.copy(state.pki / "admin.kubeconfig", state.kubeconfig)
        configuration.write(state.configuration, addresses, self._cgroup, _max_open_files())
        state.components.write_text(json.dumps([asdict(c) for c in components(self.name, addresses)]))
        write_pause_archive(programs.pause, state.pause_archive)

    def _finish(self, cpu_overcommit: bool | None) -> None:
        """Complete the cluster once the API server is ready; every step can be repeated."""
        with self._api() as api:
            with self._progress.step(f"Waiting until the node {self.name!r} is Ready"):
                defaults.apply_defaults(api)
                self._images().import_archive(self._state.pause_archive)
                self._wait(lambda: self._node_is_ready(api), "kubelet")
                self._wait(lambda: defaults.can_create_pods(api), "kube-controller-manager")
            if cpu_overcommit is not None and defaults.is_cpu_overcommitted(api) is not cpu_overcommit:
                with self._progress.step("Changing how the CPU requests of new pods are treated"):
                    defaults.set_cpu_overcommit(api, cpu_overcommit)

    def _node_is_ready(self, api: client.ApiClient) -> bool:
        node = api_server.find_node(api, self.name)
        return node is not None and api_server.is_node_ready(node)

    def _wait(self, done: Callable[[], bool], component: str) -> None:
        """Wait until a condition is true that a component has to fulfil.

        Raises:
            GpuInferenceError: the node ended, or the condition is still false after 120 s.
        """
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not done():
            self._running_node()
            if time.monotonic() > deadline:
                log = self._state.log(component)
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
                raise GpuInferenceError(
                    f"{component} is not ready after {_START_TIMEOUT_SECONDS:.0f} s. Its log ends:\n{tail}"
                )
            time.sleep(_POLL_SECONDS)

    def _refuse_other_address_range(self) -> None:
        record = Record.load(self._state.record)
        if self._address_range and record and IPv4Network(self._address_range) != record.network.block:
            raise GpuInferenceError(
                f"The cluster {self.name!r} is running, with the address range {record.network.block}.",
                f"Remove it first: gpu-inference cluster down --name {self.name}",
            )

    def _certificates_expire(self) -> bool:
        certificate = self._state.pki / "ca.crt"
        return not certificate.exists() or pki.valid_for(certificate) < _RENEW_BEFORE

    # ---- using and removing

    def _set_gpus_by_plugin(self, api: client.ApiClient, count: int, product: str) -> None:
        node = gpus.checked_node(api, count)
        if gpus.has_simulated_gpus(node) and not self._state.gpu_plugin.exists():
            gpus.advertise_by_patch(api, 0, product)
        wanted = self._state.gpu_plugin
        unfinished = wanted.with_suffix(".new")
        unfinished.write_text(str(count))
        unfinished.rename(wanted)
        if count:
            gpus.label_node(api, self.name, count, product, "plugin")
        gpus.wait_until_allocatable(api, self.name, count)
        if not count:
            gpus.unlabel_node(api, self.name)

    def _images(self) -> ImageStore:
        return ImageStore(self._state.root, self._running_node().launcher)

    def _node(self) -> processes.NodeProcesses | None:
        return processes.find(self.name, self._state.root)

    def _running_node(self) -> processes.NodeProcesses:
        node = self._node()
        if node is None:
            raise GpuInferenceError(
                f"The cluster {self.name!r} is not running. {self._why_it_ended() or ''}".strip(),
                f"Bring it up: gpu-inference cluster up --name {self.name}",
            )
        return node

    def _why_it_ended(self) -> str | None:
        """Return why the cluster is no longer running, or None if it was never brought up."""
        if not self._state.root.exists():
            return None
        return self._failure_message() or "It was killed, or this machine was restarted."

    def _failure_message(self) -> str | None:
        """Return the message that the node wrote when it or one of its components failed, or None."""
        for file in (self._state.failure, self._state.log("node")):
            with suppress(FileNotFoundError, PermissionError):
                if message := file.read_text(errors="replace").strip():
                    return message
        return None

    @contextmanager
    def _api(self) -> Iterator[client.ApiClient]:
        """Yield a client for the API server; convert errors into GpuInferenceError."""
        self._running_node()
        with (
            api_server.api_errors(f"The cluster {self.name!r}", f"Read the logs: {self._state.logs}"),
            api_server.connect(self._state.kubeconfig) as api,
        ):
            try:
                yield api
            except urllib3.exceptions.HTTPError:
                self._running_node()
                raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Prevent other commands from changing this cluster meanwhile."""
        lock = self._state.root.with_name(f"{self.name}.lock")
        waiting = f"Waiting for another command that changes the cluster {self.name!r}"
        with self._disk_errors(), temporary_lock(lock, waiting, self._progress):
            yield

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Convert an OSError into a GpuInferenceError about the state folder."""
        root = self._state.root
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise GpuInferenceError(
                    f"The disk that holds {root.parent} is full.",
                    "Free some space, or use a larger disk: export GPU_INFERENCE_STATE_DIR=FOLDER",
                ) from error
            raise GpuInferenceError(
                f"The cluster's folder {root} cannot be changed: {error}.",
                "Run the command as root, or use another folder: export GPU_INFERENCE_STATE_DIR=FOLDER",
            ) from error

    def _remove(self) -> None:
        """Remove every part of the cluster that exists."""
        record = Record.load(self._state.record)
        if (node := self._node()) is not None:
            processes.end(node)
        if record is not None:
            network.disconnect(record.network, self.name)
            cgroups.remove(self._cgroup, cgroups.hierarchies(), record.cgroup_controllers)
        if self._state.root.exists():
            shutil.rmtree(self._state.root)


@contextmanager
def temporary_lock(lock: Path, waiting: str, progress: Progress) -> Iterator[None]:
    """Hold a lock file as `file_lock` does; then remove it, and its folder if that is empty."""
    with file_lock(lock, waiting, progress):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with suppress(OSError):  # It is not empty, or a mount point.
                lock.parent.rmdir()


def _max_open_files() -> int:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MAX_OPEN_FILES if hard_limit == resource.RLIM_INFINITY else min(hard_limit, _MAX_OPEN_FILES)
