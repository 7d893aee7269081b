"""The scoring server in the pod: runs Azure ML SDK v1 entry scripts (`init()` and `run()`) unmodified."""

__version__ = "0.2.0"
