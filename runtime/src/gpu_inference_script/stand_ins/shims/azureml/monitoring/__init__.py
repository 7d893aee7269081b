"""`azureml.monitoring` for entry scripts: collects what they hand over while the service is told to."""

from .modeldatacollector import ModelDataCollector

__all__ = ["ModelDataCollector"]
