"""The built-in entry script, used if none is set: it returns its input, so that an image can be tried."""

import logging


def init() -> None:
    """Log that this is not a model."""
    logging.getLogger("gpu_inference").info(
        "No entry script is set (AZUREML_ENTRY_SCRIPT): the built-in one returns what it receives."
    )


def run(raw_data: str) -> str:
    """Return the request's body."""
    return raw_data
