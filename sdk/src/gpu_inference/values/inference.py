"""`inference.*`: the user's code, with the names of Azure ML v1's InferenceConfig."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import Text
from gpu_inference.values.sources import Sourced

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*"
EntryScript = Annotated[Text, StringConstraints(pattern=rf"^(({_NAME}/)*{_NAME}\.py)?$")]
FolderName = Annotated[Text, StringConstraints(pattern=rf"^{_NAME}$")]


class Inference(Sourced):
    """The entry script and the folder around it."""

    entry_script: EntryScript = Field(
        default="",
        description="Entry script, relative to sourceDirectory; what the image says unless given.",
    )
    source_directory: FolderName = Field(
        default="src", description="Name of the source folder below /var/azureml-app, where scripts find it."
    )
    files: dict[Text, Text] = Field(
        default={},
        description="Small source files, text by path in the source folder (helm's --set-file reads them).",
    )
