"""The embedded cluster: brings the node up, waits for it, and takes all of it away again."""

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

from gpu_inference.cache import exclusive
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
# A cluster that is brought up lasts at least this long.
_RENEW_BEFORE = timedelta(days=1)
# Linux' own limit; the kernel refuses more.
_MOST_OPEN_FILES = 1_048_576


class EmbeddedCluster:
    """A Kubernetes of one node on this machine.

    Args:
        name: the cluster's, and so the node's and the host's network interface's.
        cpu_overcommit: lower the CPU requests of new pods; None: as it is, and for a new cluster yes.
        address_range: a free block of IPv4 addresses, at least a /22; None: one is chosen.
        progress: who is told what happens.
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
                "Use 1 to 15 lower-case letters, digits and hyphens, beginning with a letter: "
                "it is also the name of a network interface.",
            )
        self.name = name
        self._cpu_overcommit = cpu_overcommit
        self._address_range = address_range
        self._progress = progress or Silent()
        self._state = StateFolder(state_directory() / name)
        self._cgroup = f"gpu-inference.{name}"

    # ---- what callers use

    def up(self) -> Path:
        """Bring the cluster up if it is not running, wait until it can run pods, return its kubeconfig.

        Whatever stops it on the way, Ctrl-C included, a cluster that was not there before is not there after.

        Raises:
            GpuInferenceError: something is missing on this machine, the address range is taken, or a
                component ended (named, with the end of its log).
        """
        programs = self._prepare() if self._node() is None else None
        with self._changing():
            if self._node() is not None and self._certificates_expire():
                self._progress.say(f"The certificates of the cluster {self.name!r} expire: it is made anew.")
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
                    said = self._last_words()
                    self._remove()
                    if said and isinstance(error, GpuInferenceError):
                        raise GpuInferenceError(
                            f"The cluster {self.name!r} could not be brought up: {said}"
                        ) from error
                    raise
        return self._state.kubeconfig

    def down(self) -> None:
        """Remove the cluster, all that runs in it and all that it wrote; do nothing when there is none.

        Raises:
            GpuInferenceError: something of it could not be removed.
        """
        if self._node() is None and not self._state.root.exists():
            self._progress.say(f"There is no cluster {self.name!r}.")
            return
        with self._changing(), self._progress.step(f"Removing the cluster {self.name!r}"):
            self._remove()

    def status(self) -> ClusterStatus:
        """Tell how the cluster is."""
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
        """Import an image into the node, unless the same is there; return whether it was imported.

        Raises:
            GpuInferenceError: the cluster is not running, or containerd refuses the image.
        """
        images = self._images()
        with self._progress.step(f"Loading {image.reference}"), self._disk_errors():
            return images.load(image)

    def owns(self, kubeconfig: Path, context: str | None = None) -> bool:
        """Tell whether it runs and a kubeconfig, which may be a copy of its own, leads to it."""
        own = cluster_entry(self._state.kubeconfig)
        return bool(own) and own == cluster_entry(kubeconfig, context) and self._node() is not None

    def set_gpus(self, count: int, product: str = gpus.DEFAULT_PRODUCT, mode: gpus.Mode = "patch") -> None:
        """Make the node advertise `count` GPUs of a product; 0 removes them.

        Raises:
            GpuInferenceError: the cluster is not running, the node has real GPUs, or a patch is asked for
                after the mode `plugin` was used.
        """
        with self._api() as api:
            plugin_used = self._state.gpu_plugin.exists()
            if mode == "plugin" or (plugin_used and count == 0):
                self._set_gpus_by_plugin(api, count, product)
            elif plugin_used:
                raise GpuInferenceError(
                    f"The kubelet of the cluster {self.name!r} keeps its GPUs' number for a device plugin, "
                    "since the mode `plugin` was used, and undoes a patch.",
                    "Use the mode `plugin` again, or make the cluster anew: gpu-inference cluster down",
                )
            else:
                gpus.advertise_by_patch(api, count, product)

    # ---- bringing up

    def _prepare(self) -> Programs:
        preflight.require()
        return build_programs(self._progress)

    def _start(self, programs: Programs) -> None:
        if self._state.root.exists():
            self._progress.say(f"Removing what an earlier cluster {self.name!r} left behind.")
            self._remove()
        # Until a cluster has its routes, another one would find the same addresses free.
        choosing = self._state.root.with_name(".addresses.lock")
        with exclusively(choosing, "Waiting for another cluster that is given its addresses", self._progress):
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
                "Give the cluster another name (--name).",
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
        configuration.write(state.configuration, addresses, self._cgroup, _most_open_files())
        state.components.write_text(json.dumps([asdict(c) for c in components(self.name, addresses)]))
        write_pause_archive(programs.pause, state.pause_archive)

    def _finish(self, cpu_overcommit: bool | None) -> None:
        """Do what a ready API server still needs; each part of it can be done again."""
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
        """Wait for what a component has to do.

        Raises:
            GpuInferenceError: the node ended, or the component has not done it after a long while.
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
            gpus.describe(api, self.name, count, product, "plugin")
        gpus.wait_until_allocatable(api, self.name, count)
        if not count:
            gpus.forget(api, self.name)

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
        """Return why a cluster that was up is not; None when there was none."""
        if not self._state.root.exists():
            return None
        return self._last_words() or "It was killed, or this machine was restarted."

    def _last_words(self) -> str | None:
        """Return what the node wrote when one of its components, or itself, failed."""
        for file in (self._state.failure, self._state.log("node")):
            with suppress(FileNotFoundError, PermissionError):
                if said := file.read_text(errors="replace").strip():
                    return said
        return None

    @contextmanager
    def _api(self) -> Iterator[client.ApiClient]:
        """Give a client for the API server; the node's death and the server's refusals become sentences."""
        self._running_node()
        with (
            api_server.sentences(f"The cluster {self.name!r}", f"Look at the logs: {self._state.logs}"),
            api_server.connect(self._state.kubeconfig) as api,
        ):
            try:
                yield api
            except urllib3.exceptions.HTTPError:
                self._running_node()
                raise

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let no other command change this cluster meanwhile."""
        lock = self._state.root.with_name(f"{self.name}.lock")
        waiting = f"Waiting for another command that works on the cluster {self.name!r}"
        with self._disk_errors(), exclusively(lock, waiting, self._progress):
            yield

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Explain what the state folder refuses."""
        root = self._state.root
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise GpuInferenceError(
                    f"The disk that holds {root.parent} is full.",
                    "Free some, or name a folder on a larger one: export GPU_INFERENCE_STATE_DIR=FOLDER",
                ) from error
            raise GpuInferenceError(
                f"The cluster's folder {root} cannot be changed: {error}.",
                "Run it as root, or name another folder: export GPU_INFERENCE_STATE_DIR=FOLDER",
            ) from error

    def _remove(self) -> None:
        """Remove all there is of the cluster, in any state."""
        record = Record.load(self._state.record)
        if (node := self._node()) is not None:
            processes.end(node)
        if record is not None:
            network.disconnect(record.network, self.name)
            cgroups.remove(self._cgroup, cgroups.hierarchies(), record.cgroup_controllers)
        if self._state.root.exists():
            shutil.rmtree(self._state.root)


@contextmanager
def exclusively(lock: Path, busy: str, progress: Progress) -> Iterator[None]:
    """Hold a lock file as `exclusive` does, and leave neither it nor, where it is then empty, its folder."""
    with exclusive(lock, busy, progress):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
            with suppress(OSError):  # Not empty, or a mount point: then it stays.
                lock.parent.rmdir()


def _most_open_files() -> int:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return _MOST_OPEN_FILES if hard_limit == resource.RLIM_INFINITY else min(hard_limit, _MOST_OPEN_FILES)
