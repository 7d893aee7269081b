"""Every version of what a test cluster is built from.

The Go modules' own files (`toolchain/go/*/go.mod`) repeat those that concern them, because Go reads them
there; a test holds the two together. Versions of what the SDK fetches are in `gpu_inference.versions`.
"""

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
