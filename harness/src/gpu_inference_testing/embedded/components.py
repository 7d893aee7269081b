"""The node's programs and their arguments, in start order."""

from dataclasses import dataclass

from gpu_inference_testing.embedded.layout import (
    NODE_CONTAINERD,
    NODE_COREDNS,
    NODE_KUBERNETES,
    NODE_STATE,
    StateFolder,
)
from gpu_inference_testing.embedded.network import Network


@dataclass(frozen=True)
class Component:
    """A program of the node; with `needs_api` it starts after the API server is ready."""

    name: str
    command: list[str]
    needs_api: bool


_STATE = StateFolder(NODE_STATE)
_PKI = _STATE.pki
_ETCD = "http://127.0.0.1:2379"
_ETCD_PEER = "http://127.0.0.1:2380"


def components(name: str, network: Network) -> list[Component]:
    """Return the programs of the node called `name`."""
    return [
        Component("etcd", _etcd(), needs_api=False),
        Component("kube-apiserver", _apiserver(network), needs_api=False),
        Component(
            "containerd",
            [f"{NODE_CONTAINERD}/containerd", f"--config={_STATE.configuration}/containerd.toml"],
            needs_api=False,
        ),
        Component("kubelet", _kubelet(name, network), needs_api=True),
        Component("kube-controller-manager", _controller_manager(), needs_api=True),
        Component("kube-scheduler", _scheduler(), needs_api=True),
        Component(
            "kube-proxy",
            [
                f"{NODE_KUBERNETES}/kube-proxy",
                f"--config={_STATE.configuration}/kube-proxy.yaml",
                f"--hostname-override={name}",
            ],
            needs_api=True,
        ),
        Component(
            "coredns", [str(NODE_COREDNS), "-conf", f"{_STATE.configuration}/Corefile"], needs_api=True
        ),
    ]


def _etcd() -> list[str]:
    return [
        f"{NODE_KUBERNETES}/etcd",
        "--name=default",
        f"--data-dir={_STATE.data}/etcd",
        # The data need not survive a crash of the machine, so there is no need to wait for the disk.
        "--unsafe-no-fsync",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={_ETCD_PEER}",
        f"--initial-advertise-peer-urls={_ETCD_PEER}",
        f"--initial-cluster=default={_ETCD_PEER}",
        "--log-level=warn",
    ]


def _apiserver(network: Network) -> list[str]:
    return [
        f"{NODE_KUBERNETES}/kube-apiserver",
        f"--etcd-servers={_ETCD}",
        f"--advertise-address={network.node}",
        "--bind-address=0.0.0.0",
        "--secure-port=6443",
        f"--service-cluster-ip-range={network.services}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={_PKI}/ca.crt",
        f"--tls-cert-file={_PKI}/apiserver.crt",
        f"--tls-private-key-file={_PKI}/apiserver.key",
        f"--service-account-key-file={_PKI}/service-accounts.pub",
        f"--service-account-signing-key-file={_PKI}/service-accounts.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--kubelet-client-certificate={_PKI}/apiserver-kubelet.crt",
        f"--kubelet-client-key={_PKI}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={_PKI}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={_PKI}/front-proxy.crt",
        f"--proxy-client-key-file={_PKI}/front-proxy.key",
        "--event-ttl=10m",
        "--profiling=false",
    ]


def _controller_manager() -> list[str]:
    kubeconfig = f"{_PKI}/controller-manager.kubeconfig"
    return [
        f"{NODE_KUBERNETES}/kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={_PKI}/service-accounts.key",
        f"--root-ca-file={_PKI}/ca.crt",
        f"--cluster-signing-cert-file={_PKI}/ca.crt",
        f"--cluster-signing-key-file={_PKI}/ca.key",
        "--use-service-account-credentials=true",
        "--enable-hostpath-provisioner=true",
        "--leader-elect=false",
        "--allocate-node-cidrs=false",
        "--controllers=*,-node-ipam-controller",
        # The default is 15 s, which would slow down tests of autoscaling.
        "--horizontal-pod-autoscaler-sync-period=2s",
        "--profiling=false",
        "--kube-api-qps=100",
        "--kube-api-burst=200",
    ]


def _scheduler() -> list[str]:
    kubeconfig = f"{_PKI}/scheduler.kubeconfig"
    return [
        f"{NODE_KUBERNETES}/kube-scheduler",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--profiling=false",
    ]


def _kubelet(name: str, network: Network) -> list[str]:
    return [
        f"{NODE_KUBERNETES}/kubelet",
        f"--config={_STATE.configuration}/kubelet.yaml",
        f"--kubeconfig={_PKI}/kubelet.kubeconfig",
        f"--hostname-override={name}",
        f"--node-ip={network.node}",
    ]
