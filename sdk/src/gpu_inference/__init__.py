"""Deploys, scores and converts GPU inference services on Kubernetes.

Names follow Azure Machine Learning SDK v1 where it has the same thing. `gpu_inference.service` deploys and
scores, `gpu_inference.convert` reads v1 configuration files, `gpu_inference.image` builds images, and
`gpu_inference.cli` is the command-line interface. Test clusters are in gpu-inference-testing.
"""

__version__ = "0.2.0"
