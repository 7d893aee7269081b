"""Loads the user's script and calls `init()`, or explains why that failed."""

import importlib
import logging
import time
from pathlib import Path
from typing import Callable, Dict, List

from gpu_inference_script import flask_request, stand_ins
from gpu_inference_script.config import Config
from gpu_inference_script.entry_script import (
    EntryScript,
    EntryScriptError,
    add_script_folders,
    load_entry_script,
)
from gpu_inference_script.failure_hints import describe_model_dir, missing_module
from gpu_inference_script.openapi import SwaggerFileError, make_documents
from gpu_inference_script.stand_ins import tf1
from gpu_inference_script.stand_ins.tf1 import TensorFlowMissingError

log = logging.getLogger("gpu_inference")


class StartError(Exception):
    """The script cannot be served; the text says why, and the log has the traceback if there is one."""


class DebuggerError(Exception):
    """No debugger listens on the port; the text says what to do."""


class LoadedScript:
    """A script whose `init()` has ended, and what the front needs to know about it.

    Args:
        script: the script.
        documents: its specifications (swagger.json) by version name.
        supported: the supported versions.
        init_seconds: time to load the script and run `init()`.
    """

    def __init__(
        self, script: EntryScript, documents: Dict[str, str], supported: List[str], init_seconds: float
    ) -> None:
        self.script = script
        self.documents = documents
        self.supported = supported
        self.init_seconds = init_seconds


def load(config: Config, count: Callable[[str, int], None]) -> LoadedScript:
    """Import the user's script and call its `init()`.

    Args:
        config: the script's settings.
        count: called with `written` or `dropped`, and the number of rows of model data.

    Raises:
        StartError: the script cannot be served.
    """
    began = time.perf_counter()
    try:
        script = _script(config, count)
        log.info("Invoking user's init function")
        script.init()
        documents, supported = make_documents(config, script.run)
    except (EntryScriptError, SwaggerFileError, TensorFlowMissingError, DebuggerError) as error:
        raise StartError(str(error)) from None
    # Including SystemExit: after sys.exit() in init(), nothing would ever be scored.
    except BaseException as error:
        log.exception("The entry script failed before it could score")
        raise StartError(missing_module(error) or describe_model_dir(config.model_dir)) from None
    seconds = time.perf_counter() - began
    log.info("User's init has completed successfully in %.1f s", seconds)
    return LoadedScript(script, documents, supported, seconds)


def _script(config: Config, count: Callable[[str, int], None]) -> EntryScript:
    """Set up what the script may import, and load it."""
    # Before the stand-ins, because the user's own packages take precedence.
    add_script_folders(Path(config.app_root), config.source_directory)
    stand_ins.offer()
    flask_request.notice_imports()
    for line in stand_ins.describe(config):
        log.info("Stand-in: %s", line)
    if config.model_data_directory is not None:
        from gpu_inference_script.stand_ins import model_data

        model_data.start(config, Path(config.model_data_directory), count)
    tf1.enable_where_needed(config)
    if config.fast_json:
        from gpu_inference_script import fast_json

        fast_json.install()
    if config.debug_port is not None:
        _connect_debugger(config.debug_port)
    return load_entry_script(config.entry_script, Path(config.app_root), overlapping=config.parallel_runs > 1)


def _connect_debugger(port: int) -> None:
    """Connect to the debugger (AZUREML_DEBUG_PORT), and wait until it lets the script continue.

    Raises:
        DebuggerError: no debugger listens on the port.
    """
    log.warning("Waiting for the debugger on port %d: AZUREML_DEBUG_PORT is not for production", port)
    # The package comes from the user's image; settings/checks.py reports its absence.
    debugpy = importlib.import_module("debugpy")
    try:
        debugpy.connect(port)
    except (OSError, RuntimeError) as error:
        raise DebuggerError(
            f"AZUREML_DEBUG_PORT is {port} but no debugger could be reached there ({error}): start it"
            " before the server, so that it listens."
        ) from error
    debugpy.wait_for_client()
