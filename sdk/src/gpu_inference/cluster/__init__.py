"""Clusters to run services in: any that a kubeconfig leads to, and those that providers bring up.

`find_kubeconfig` gives the cluster that a command means, `open_cluster` one by its provider's name; `base`
says what a cluster and a provider can do. The distribution gpu-inference-testing brings the providers
`embedded` and `kind`.
"""

from gpu_inference.cluster.base import Cluster, ClusterStatus, LocalImage, Provider
from gpu_inference.cluster.kubeconfig import DEFAULT_NAME, KubeconfigCluster, find_kubeconfig
from gpu_inference.cluster.providers import cluster_of, open_cluster, provider_names

__all__ = [
    "DEFAULT_NAME",
    "Cluster",
    "ClusterStatus",
    "KubeconfigCluster",
    "LocalImage",
    "Provider",
    "cluster_of",
    "find_kubeconfig",
    "open_cluster",
    "provider_names",
]
