"""The scoring server in the pod: runs unmodified Azure ML SDK v1 entry scripts (`init()` and `run()`)."""

__version__ = "0.2.0"
