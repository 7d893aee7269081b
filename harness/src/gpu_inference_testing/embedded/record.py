"""What `up` decided for a cluster, written down first, so that `down` knows what there is to remove."""

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from gpu_inference_testing.embedded.network import Network


@dataclass(frozen=True)
class Record:
    """The decisions that cannot be made again later."""

    network: Network
    kubernetes: Path
    """Folder with Kubernetes' programs and etcd."""
    containerd: Path
    """Folder with containerd's programs."""
    coredns: Path
    """The program."""
    cgroup_controllers: list[str] = field(default_factory=list)
    """The cgroup v2 controllers that were off on this machine before."""

    def save(self, path: Path) -> None:
        """Write it as JSON; the node reads it as well."""
        content = {
            "block": str(self.network.block),
            "node_address": f"{self.network.node}/{self.network.link.prefixlen}",
            "services": str(self.network.services),
            "kubernetes": str(self.kubernetes),
            "containerd": str(self.containerd),
            "coredns": str(self.coredns),
            "cgroup_controllers": self.cgroup_controllers,
        }
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps(content, indent=2))
        unfinished.rename(path)

    @classmethod
    def load(cls, path: Path) -> "Record | None":
        """Read it; None when there is none yet."""
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return cls(
            network=Network(IPv4Network(content["block"])),
            kubernetes=Path(content["kubernetes"]),
            containerd=Path(content["containerd"]),
            coredns=Path(content["coredns"]),
            cgroup_controllers=content["cgroup_controllers"],
        )
