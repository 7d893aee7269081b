"""The record of a cluster, which `up` writes first so that `down` knows what to remove."""

import json
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

from gpu_inference_testing.embedded.network import Network


@dataclass(frozen=True)
class Record:
    """What `up` decided for a cluster and cannot be derived later."""

    network: Network
    kubernetes: Path
    """The folder with the programs of Kubernetes and etcd."""
    containerd: Path
    """The folder with the programs of containerd."""
    coredns: Path
    """The CoreDNS program."""
    cgroup_controllers: list[str] = field(default_factory=list)
    """The cgroup v2 controllers that `up` enabled on this machine."""

    def save(self, path: Path) -> None:
        """Write the record as JSON; the node reads it too."""
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
        """Return the record, or None if it does not exist."""
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
