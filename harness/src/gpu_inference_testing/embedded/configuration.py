"""Writes the configuration files of the node's programs. All paths in them are paths inside the node."""

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from gpu_inference_testing.embedded.layout import CONTAINERD_SOCKET, NODE_STATE, StateFolder
from gpu_inference_testing.embedded.network import Network

PAUSE_IMAGE = "localhost/gpu-inference-pause:1"

_STATE = StateFolder(NODE_STATE)


def write(folder: Path, network: Network, cgroup: str, open_files: int) -> None:
    """Write all files into `folder`.

    Args:
        folder: the target folder, as a path on the host.
        network: the cluster's addresses.
        cgroup: name of the kubelet's folder in each cgroup hierarchy.
        open_files: the maximum number of open files that this process may set.
    """
    (folder / "cni").mkdir(parents=True, exist_ok=True)
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(network, cgroup, open_files)))
    (folder / "kube-proxy.yaml").write_text(yaml.safe_dump(_kube_proxy(network)))
    (folder / "cni" / "10-pods.conflist").write_text(json.dumps(_cni(network), indent=2))
    (folder / "containerd.toml").write_text(_CONTAINERD)
    (folder / "Corefile").write_text(_corefile(network.node))


def _kubelet(network: Network, cgroup: str, open_files: int) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        # This cgroup driver needs no systemd and works on v1 and v2.
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": ["pods"],
        "failSwapOn": False,
        "maxOpenFiles": open_files,
        # A lower score needs CAP_SYS_RESOURCE, which containers and CI machines often lack.
        "oomScoreAdj": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(_STATE.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(_STATE.pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(_STATE.pki / "kubelet-server.key"),
        "clusterDomain": "cluster.local",
        "clusterDNS": [str(network.node)],
        "resolvConf": "",
        # Images are loaded from this machine and cannot be pulled, so the kubelet must not remove any.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "serializeImagePulls": False,
        "nodeStatusUpdateFrequency": "4s",
        "nodeStatusReportFrequency": "1m",
        "volumeStatsAggPeriod": "1m",
        "maxPods": 100,
    }


def _kube_proxy(network: Network) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(_STATE.pki / "proxy.kubeconfig")},
        "mode": "iptables",
        "clusterCIDR": str(network.pods),
        # Zero leaves these sysctls unchanged: they belong to the whole machine.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
        "oomScoreAdj": 0,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }


def _cni(network: Network) -> dict[str, Any]:
    """Configure a routed link per pod; a bridge would need the host's kernel module br_netfilter."""
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                # docs/decisions.md 93
                "type": "ptp",
                "ipMasq": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": str(network.pods)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _corefile(node: IPv4Address) -> str:
    """Configure DNS to resolve only names in the cluster; other names fail at once."""
    pki = _STATE.pki
    return f"""\
.:53 {{
    bind {node}
    errors
    ready 127.0.0.1:8181
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        endpoint https://{node}:6443
        tls {pki}/coredns.crt {pki}/coredns.key {pki}/ca.crt
    }}
}}
"""


_CONTAINERD = f"""\
version = 3
root = "{_STATE.data}/containerd"
state = "/run/containerd"
oom_score = 0

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE a process cannot have a lower score than its parent.
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
    conf_dir = "{_STATE.configuration}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "runc"
        SystemdCgroup = false
"""
