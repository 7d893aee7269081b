"""Clusters to run services in: any cluster that has a kubeconfig, and clusters that providers create.

`find_kubeconfig` returns the kubeconfig that a command uses, and `open_cluster` opens a cluster by its
provider's name. The module `base` defines the protocols of clusters and providers. The distribution
gpu-inference-testing adds the providers `embedded` and `kind`.
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
