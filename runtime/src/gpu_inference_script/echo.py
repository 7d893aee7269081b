"""The script that answers when none was given: it returns what it received, so that an image can be tried."""

import logging


def init() -> None:
    """Say that this is not a model."""
    logging.getLogger("gpu_inference").info(
        "No entry script is set (AZUREML_ENTRY_SCRIPT): the built-in one returns what it receives."
    )


def run(raw_data: str) -> str:
    """Return the request's body."""
    return raw_data
