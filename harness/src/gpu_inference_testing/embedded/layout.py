"""File locations on the host and inside the node."""

from dataclasses import dataclass
from pathlib import Path

# Inside the node /run is a new tmpfs, so these mount points do not exist on the host. With fixed mount points
# no configuration depends on the location of the state folder or the cache.
NODE_STATE = Path("/run/gpu-inference")
NODE_KUBERNETES = Path("/run/gpu-inference-programs/kubernetes")
NODE_CONTAINERD = Path("/run/gpu-inference-programs/containerd")
NODE_COREDNS = Path("/run/gpu-inference-programs/coredns")

CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
# Hard-coded in the controller manager's host-path provisioner.
VOLUMES = Path("/tmp/hostpath_pv")

# After `su`, root's PATH lacks the sbin folders.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NODE_MODULE = "gpu_inference_testing.embedded.node"


@dataclass(frozen=True)
class StateFolder:
    """The state folder of a cluster; `root` is its path on the host, or `NODE_STATE` inside the node."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig (mode 0600)."""
        return self.root / "kubeconfig"

    @property
    def record(self) -> Path:
        """The cluster's addresses and programs (JSON); see `Record`."""
        return self.root / "cluster.json"

    @property
    def components(self) -> Path:
        """The programs that the node starts, with their arguments (JSON)."""
        return self.root / "components.json"

    @property
    def failure(self) -> Path:
        """Written by the node when a program ended: its name, its exit status and the end of its log."""
        return self.root / "failure"

    @property
    def gpu_plugin(self) -> Path:
        """Number of devices of the fake device plugin; the node starts and stops the plugin accordingly."""
        return self.root / "gpu-plugin"

    @property
    def pause_archive(self) -> Path:
        """The pause container's image, which `up` imports."""
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
        """One log per program, and `node.log`."""
        return self.root / "logs"

    @property
    def data(self) -> Path:
        """Data of the programs: etcd, containerd, and the node's /var/lib, /var/log and /tmp."""
        return self.root / "data"

    def log(self, component: str) -> Path:
        """Return the path of a program's log."""
        return self.logs / f"{component}.log"
