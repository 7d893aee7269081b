"""Deploys, scores, converts and tests GPU inference services on Kubernetes.

The names are those of Azure Machine Learning's SDK v1, so that people who used it find their way:
`gpu_inference.service` deploys and scores, `gpu_inference.convert` reads v1's configuration files,
`gpu_inference.cluster` has the clusters to do it on, `gpu_inference.cli` is the same as a command.
"""

__version__ = "0.2.0"
