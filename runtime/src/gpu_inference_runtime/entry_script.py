"""Loads the user's scoring script and knows its two functions."""

import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from gpu_inference_runtime import echo
from gpu_inference_runtime.inputs import Inputs, TextInputs
from gpu_inference_runtime.messages import Request

_MODULE_NAME = "entry_module"

log = logging.getLogger("gpu_inference")


class EntryScriptError(Exception):
    """The script cannot be served; the text says which script and why."""


@dataclass(frozen=True)
class EntryScript:
    """A loaded script.

    Args:
        init: prepares the model, once.
        run: answers one request.
        inputs: tells what `run()` takes.
    """

    init: Callable[[], Any]
    run: Callable[..., Any]
    inputs: Inputs

    def call(self, request: Request, body: bytes) -> Callable[[], Any]:
        """Return the call of `run()` for a request, to be made on the script's thread.

        Raises:
            InputError: the client sent what the script cannot be given.
        """
        return partial(self.run, **self.inputs.arguments(request, body))


def load_entry_script(entry_script: str | None, app_root: Path, source_directory: str | None) -> EntryScript:
    """Import the user's script, which runs its top-level code, and return its functions.

    The app root and the source folder go to the end of `sys.path`, so that they hide no installed package.

    Args:
        entry_script: its path, relative to the app root; None for the built-in script that returns its input.
        app_root: the folder that holds the user's source folder.
        source_directory: the source folder, relative to the app root.

    Raises:
        EntryScriptError: there is no such file, or it lacks `init()` or a `run()` that takes the input.
        BaseException: whatever the script's top level raises, a SyntaxError included.
    """
    if entry_script is None:
        return EntryScript(init=echo.init, run=echo.run, inputs=TextInputs("raw_data"))
    path = app_root / entry_script
    if not path.is_file():
        raise EntryScriptError(
            f"There is no entry script at {path}: AZUREML_ENTRY_SCRIPT ({entry_script!r}) "
            f"is taken relative to the app root {app_root}."
        )
    source_folders = [app_root / source_directory] if source_directory else []
    for folder in (app_root, *source_folders):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    module = _import_file(path)
    for name in ("init", "run"):
        if not callable(getattr(module, name, None)):
            raise EntryScriptError(f"User script at {path} does not have a {name}() function defined.")
    parameters = list(inspect.signature(module.run).parameters)
    if not parameters:
        raise EntryScriptError(f"User script at {path}: run() needs to accept an argument for input data.")
    log.info("Found user script at %s", path)
    return EntryScript(init=module.init, run=module.run, inputs=TextInputs(parameters[0]))


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise EntryScriptError(f"The entry script {path} is not a Python file: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    # Data classes and pickle look a class's module up by its name.
    sys.modules[_MODULE_NAME] = module
    spec.loader.exec_module(module)
    return module
