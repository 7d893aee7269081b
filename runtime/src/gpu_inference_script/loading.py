"""Loads the user's script in its process and calls `init()`, or says why that did not work."""

import logging
import time
from pathlib import Path
from typing import Callable, Dict, List

from gpu_inference_script import debugger, flask_request, stand_ins
from gpu_inference_script.config import Config
from gpu_inference_script.debugger import DebuggerError
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
    """The script cannot be served; the text says why, and a traceback is in the log where there is one."""


class LoadedScript:
    """A script whose `init()` has ended, with what the front wants to know of it.

    Args:
        script: the script.
        documents: its specifications (swagger.json) by the names of their versions.
        supported: the versions that there are.
        init_seconds: how long loading it and `init()` took.
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
        config: which script, and its surroundings.
        count: is told how many rows of model data were `written` or `dropped`.

    Raises:
        StartError: that did not work.
    """
    began = time.perf_counter()
    try:
        script = _script(config, count)
        log.info("Invoking user's init function")
        script.init()
        documents, supported = make_documents(config, script.run)
    except (EntryScriptError, SwaggerFileError, TensorFlowMissingError, DebuggerError) as error:
        raise StartError(str(error)) from None
    # sys.exit() in init() is a failure too: nothing would ever be scored.
    except BaseException as error:
        log.exception("The entry script failed before it could score")
        raise StartError(missing_module(error) or describe_model_dir(config.model_dir)) from None
    seconds = time.perf_counter() - began
    log.info("User's init has completed successfully in %.1f s", seconds)
    return LoadedScript(script, documents, supported, seconds)


def _script(config: Config, count: Callable[[str, int], None]) -> EntryScript:
    """Return the loaded script, with all in place that it may import."""
    # Before the stand-ins: the user's own packages take precedence.
    add_script_folders(Path(config.app_root), config.source_directory)
    stand_ins.offer()
    flask_request.notice_imports()
    for line in stand_ins.in_effect(config):
        log.info("Stand-in: %s", line)
    if config.model_data_directory is not None:
        from gpu_inference_script.stand_ins import model_data

        model_data.start(config, Path(config.model_data_directory), count)
    tf1.use_where_wanted(config)
    if config.fast_json:
        from gpu_inference_script import fast_json

        fast_json.install()
    if config.debug_port is not None:
        debugger.connect(config.debug_port)
    return load_entry_script(config.entry_script, Path(config.app_root), overlapping=config.parallel_runs > 1)
