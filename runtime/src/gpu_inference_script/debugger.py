"""AZUREML_DEBUG_PORT: before the script is loaded, its process connects to a debugger that waits there."""

import importlib
import logging

log = logging.getLogger("gpu_inference")


class DebuggerError(Exception):
    """No debugger waits there; the text says what to do."""


def connect(port: int) -> None:
    """Connect, and wait until the debugger lets the script go on.

    Raises:
        DebuggerError: nothing listens on the port.
    """
    log.warning("Waiting for the debugger on port %d: AZUREML_DEBUG_PORT is not for production", port)
    # Its package is the user's: settings without it end the start.
    debugpy = importlib.import_module("debugpy")
    try:
        debugpy.connect(port)
    except (OSError, RuntimeError) as error:
        raise DebuggerError(
            f"AZUREML_DEBUG_PORT is {port} but no debugger could be reached there ({error}): start it"
            " before the server, so that it listens."
        ) from error
    debugpy.wait_for_client()
