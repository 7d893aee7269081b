"""Test clusters for GPU inference services: embedded and kind, with GPUs that are not there, and KEDA.

`gpu_inference.cluster.open_cluster` opens the clusters by their providers' names, `gpus` gives them GPUs,
`keda` installs KEDA, `pytest_plugin` has the fixtures, and `commands` is `gpu-inference cluster`. The node's
first process imports this package too, so it imports nothing itself.
"""
