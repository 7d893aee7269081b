"""Where things lie, seen from the host and from inside the node, so that both sides name the same file."""

from dataclasses import dataclass
from pathlib import Path

# Inside the node /run is a fresh tmpfs, so these mount points leave nothing on the host, and no configuration
# depends on where the state folder or the cache is.
NODE_STATE = Path("/run/gpu-inference")
NODE_KUBERNETES = Path("/run/gpu-inference-programs/kubernetes")
NODE_CONTAINERD = Path("/run/gpu-inference-programs/containerd")
NODE_COREDNS = Path("/run/gpu-inference-programs/coredns")

CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
# Fixed in the controller manager's host-path provisioner.
VOLUMES = Path("/tmp/hostpath_pv")

# A root shell that came by `su` has no sbin folder on its PATH.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NODE_MODULE = "gpu_inference_testing.embedded.node"


@dataclass(frozen=True)
class StateFolder:
    """One cluster's folder; give it the host's path or `NODE_STATE` and it names the files of that side."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, mode 0600."""
        return self.root / "kubeconfig"

    @property
    def record(self) -> Path:
        """What `up` decided: addresses, programs (JSON)."""
        return self.root / "cluster.json"

    @property
    def components(self) -> Path:
        """The programs that the node starts, with their arguments (JSON)."""
        return self.root / "components.json"

    @property
    def failure(self) -> Path:
        """Written by the node when one of its programs ended: which, how, and the end of its log."""
        return self.root / "failure"

    @property
    def gpu_plugin(self) -> Path:
        """How many devices the fake device plugin shall offer; the node starts and stops it by this file."""
        return self.root / "gpu-plugin"

    @property
    def pause_archive(self) -> Path:
        """The image of the pause container, for the import at the start."""
        return self.root / "pause.tar"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.root / "pki"

    @property
    def configuration(self) -> Path:
        """Configuration files of the programs."""
        return self.root / "configuration"

    @property
    def logs(self) -> Path:
        """One log for each program, and `node.log`."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """What the programs write: etcd's and containerd's stores, the node's /var/lib, /var/log and /tmp."""
        return self.root / "data"

    def log(self, component: str) -> Path:
        """Return the log of a program."""
        return self.logs / f"{component}.log"
