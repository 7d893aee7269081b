"""`azureml.monitoring` for entry scripts: collects their data if collection is on."""

from .modeldatacollector import ModelDataCollector

__all__ = ["ModelDataCollector"]
