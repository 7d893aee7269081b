"""Deploys, scores and converts GPU inference services on Kubernetes.

The names are those of Azure Machine Learning's SDK v1, so that people who used it find their way:
`gpu_inference.service` deploys and scores, `gpu_inference.convert` reads v1's configuration files,
`gpu_inference.image` builds images, `gpu_inference.cli` is the same as a command. Test clusters are in the
distribution gpu-inference-testing.
"""

__version__ = "0.2.0"
