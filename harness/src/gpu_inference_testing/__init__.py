"""Test clusters for GPU inference services: embedded and kind, with simulated GPUs and KEDA.

`gpu_inference.cluster.open_cluster` opens a cluster by its provider's name, `gpus` adds simulated GPUs,
`keda` installs KEDA, `pytest_plugin` contains the fixtures, and `commands` is `gpu-inference cluster`. This
module imports nothing, because a node's first process imports it and may use the standard library only.
"""
