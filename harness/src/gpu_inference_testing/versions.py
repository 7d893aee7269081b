"""Pinned versions of the components of test clusters.

The files `toolchain/go/*/go.mod` repeat some of them, because Go reads them there; a test checks that they
are equal. Versions of what the SDK fetches are in `gpu_inference.versions`.
"""

from typing import Final

KUBERNETES: Final = "1.37.2"
"""API server, controller manager, scheduler, kubelet and kube-proxy of the embedded cluster."""

KUBERNETES_RELEASED: Final = "2026-10-27T12:01:04Z"
"""Release date of KUBERNETES, used as the build date so that builds are reproducible."""

ETCD: Final = "3.7.0"
"""The version that this Kubernetes is tested with (its build/dependencies.yaml). Not the newest (3.7.3)."""

CONTAINERD: Final = "2.4.2"

COREDNS: Final = "1.15.0"

KEDA: Final = "2.21.0"
"""The chart needs 2.20 or newer: 2.19 requests metrics from the pods of all Services."""

GO: Final = "1.26.8"
"""The version that error messages tell users to install."""

GO_MINIMUM: Final = "1.26.6"
"""The oldest Go that builds all of these: the highest `go` line of their modules (containerd's)."""

CLUSTER_PACKAGES: Final = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "unshare": "util-linux",
    "ptp": "containernetworking-plugins",
    "host-local": "containernetworking-plugins",
    "portmap": "containernetworking-plugins",
}
"""Programs that the embedded cluster runs, and their Debian packages, in any version."""

IMAGE_PACKAGES: Final = {
    "mmdebstrap": "mmdebstrap",
    "buildah": "buildah",
}
"""Programs that build images without Docker, and their Debian packages."""
