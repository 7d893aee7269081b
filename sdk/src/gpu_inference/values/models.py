"""`models[]`: the models of the service, each laid out as Azure ML v1 did, wherever it comes from."""

from pydantic import Field

from gpu_inference.values.base import CountOrZero, Text
from gpu_inference.values.sources import EntryName, Sourced


class ModelVersion(Sourced):
    """One version of a model: a single file or folder in azureml-models/NAME/VERSION."""

    name: Text = Field(description="Name of the model, as it was registered.")
    version: CountOrZero = Field(default=1, description="Version of the model.")
    entry: EntryName = Field(
        default="",
        description="Name of the model's file or folder in its version's folder; its own unless given.",
    )
