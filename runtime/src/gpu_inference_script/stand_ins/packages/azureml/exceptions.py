"""The errors of `azureml.exceptions` that `Model.get_model_path` raises."""


class AzureMLException(Exception):  # noqa: N818  (the name that scripts catch)
    """The base of Azure ML's errors; `message` holds the text."""

    def __init__(self, exception_message: str) -> None:
        super().__init__(exception_message)
        self.message = exception_message


class WebserviceException(AzureMLException):
    """A model's folder or an argument is invalid."""


class ModelNotFoundException(AzureMLException):
    """There is no model with that name."""
