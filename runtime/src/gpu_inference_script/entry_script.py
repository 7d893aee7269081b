"""Loads the user's scoring script, and determines what its `run()` takes."""

import importlib.util
import inspect
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, Optional, Tuple

from gpu_inference_script import echo
from gpu_inference_script.event_loop import NOT_AWAITABLE, EventLoop
from gpu_inference_script.inputs import Inputs, RawInputs, TextInputs
from gpu_inference_script.request import Request
from gpu_inference_script.schema_inputs import SchemaInputs

_MODULE_NAME = "entry_module"
# A parameter with this name gets the request's headers.
_HEADERS = "request_headers"
_NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

log = logging.getLogger("gpu_inference")


class EntryScriptError(Exception):
    """The script cannot be served; the text says which script and why."""


class EntryScript:
    """A loaded script.

    Args:
        init: the script's `init()`; it returns when all is done, even if the function is asynchronous.
        run: the script's `run()`.
        inputs: makes the arguments of `run()`.
        takes_headers: whether `run()` has a parameter `request_headers`.
        loop: awaits asynchronous functions.
    """

    def __init__(
        self,
        init: "Callable[[], Any]",
        run: "Callable[..., Any]",
        inputs: Inputs,
        takes_headers: bool = False,
        loop: "Optional[EventLoop]" = None,
    ) -> None:
        self.init = init
        self.run = run
        self.inputs = inputs
        self.takes_headers = takes_headers
        self.loop = loop or EventLoop()

    def call(self, request: Request) -> "Call":
        """Return the call of `run()` for a request.

        Raises:
            InputError: the request is not what `run()` takes.
        """
        arguments = self.inputs.arguments(request)
        if self.takes_headers:
            # Spelled as in Flask.
            arguments[_HEADERS] = {name.title(): value for name, value in request.headers_by_name.items()}
        return Call(self, request, arguments)


class Call:
    """One call of `run()`.

    Args:
        script: the script.
        request: the request to score.
        arguments: the keyword arguments of `run()`.
    """

    __slots__ = ("_arguments", "_request", "_script")

    def __init__(self, script: EntryScript, request: Request, arguments: "Dict[str, Any]") -> None:
        self._script = script
        self._request = request
        self._arguments = arguments

    def make(self) -> Any:
        """Call `run()` and return its result, awaited if it is asynchronous."""
        script = self._script
        result = script.run(**self._arguments)
        return result if type(result) in NOT_AWAITABLE else script.loop.resolve(result)

    def client_error(self, error: BaseException) -> "Optional[str]":
        """Return what the client did wrong if that caused an error of `make`; else None."""
        return self._script.inputs.client_error(error, self._request)


def load_entry_script(
    entry_script: "Optional[str]", app_root: Path, *, overlapping: bool = False
) -> EntryScript:
    """Import the user's script, which runs its top-level code.

    Call `add_script_folders` first, so that the script can import the modules beside it.

    Args:
        entry_script: the script's path, relative to the app root; None for the built-in script.
        app_root: the folder that holds the user's source folder.
        overlapping: whether calls of `run()` may overlap.

    Raises:
        EntryScriptError: there is no such file, or it lacks `init()` or a suitable `run()`.
        BaseException: whatever the script's top-level code raises, including SyntaxError.
    """
    if entry_script is None:
        return EntryScript(init=echo.init, run=echo.run, inputs=TextInputs("raw_data"))
    path = app_root / entry_script
    if not path.is_file():
        relative = f"AZUREML_ENTRY_SCRIPT ({entry_script!r}) is taken relative to the app root {app_root}"
        why = "" if Path(entry_script).is_absolute() else f": {relative}"
        raise EntryScriptError(f"There is no entry script at {path}{why}.")
    module = _import_file(path)
    for name in ("init", "run"):
        if not callable(getattr(module, name, None)):
            raise EntryScriptError(f"User script at {path} does not have a {name}() function defined.")
    log.info("Found user script at %s", path)
    run = _find_run(module)
    try:
        inputs, takes_headers = _inputs(run)
    except EntryScriptError as error:
        raise EntryScriptError(f"User script at {path}: {error}") from None
    loop = EventLoop(overlapping=overlapping)
    loop.prepare(module.init, run)
    return EntryScript(lambda: loop.resolve(module.init()), run, inputs, takes_headers, loop)


def add_script_folders(app_root: Path, source_directory: "Optional[str]") -> None:
    """Append the app root and the source folder to `sys.path`, so that they hide no installed package.

    Args:
        app_root: the folder that holds the user's source folder.
        source_directory: that folder's name, relative to the app root.
    """
    source_folders = [app_root / source_directory] if source_directory else []
    for folder in (app_root, *source_folders):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def _import_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise EntryScriptError(f"The entry script {path} is not a Python file: its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    # Data classes and pickle look up a class's module by name.
    sys.modules[_MODULE_NAME] = module
    spec.loader.exec_module(module)
    return module


def _find_run(module: ModuleType) -> "Callable[..., Any]":
    """Return the script's `run`, or that of the scoring script that a generated driver script wraps.

    Such drivers (from Azure ML's Designer) have the user's module as `driver_module`, and lose arguments of a
    decorated `run()`.
    """
    driven = getattr(module, "driver_module", None)
    if isinstance(driven, ModuleType) and callable(getattr(driven, "run", None)):
        log.info("It is a driver script: run() is taken from %s", driven.__file__ or driven.__name__)
        module = driven
    run: Callable[..., Any] = module.run
    return run


def _inputs(run: "Callable[..., Any]") -> "Tuple[Inputs, bool]":
    """Return what makes the arguments of `run()`, and whether it also takes the request's headers.

    Raises:
        EntryScriptError: `run()` has parameters that no request can fill.
    """
    try:
        all_parameters = list(inspect.signature(run).parameters.values())
    except ValueError:
        raise EntryScriptError("run() must be a function written in Python.") from None
    if any(parameter.kind not in _NAMED for parameter in all_parameters):
        raise EntryScriptError("run() cannot accept positional-only arguments, *args, or **kwargs.")
    parameters = [parameter for parameter in all_parameters if parameter.name != _HEADERS]
    takes_headers = len(parameters) < len(all_parameters)
    if not parameters:
        other = f' other than "{_HEADERS}"' if takes_headers else " for input data"
        raise EntryScriptError(f"run() needs to accept an argument{other}.")
    names = [parameter.name for parameter in parameters]
    decorated = _has_schema(run)
    if _wants_raw_requests():
        if decorated:
            raise EntryScriptError("run() cannot be decorated with both @rawhttp and @input_schema")
        log.info("run() is decorated with @rawhttp and gets Flask's request object")
        return RawInputs(names[0]), takes_headers
    if decorated:
        log.info("run() is decorated with @input_schema and gets the arguments %s", ", ".join(names))
        return SchemaInputs(run, parameters), takes_headers
    log.info("run() is not decorated and gets the body as a string")
    for parameter in parameters[1:]:
        if parameter.default is inspect.Parameter.empty:
            log.warning("run() has a parameter %r that gets no value: every call fails", parameter.name)
    return TextInputs(names[0]), takes_headers


# The next two functions import nothing: only the script can have imported the packages that they check.


def _wants_raw_requests() -> bool:
    """Return whether the script used `@rawhttp`, on any function: v1's server did not distinguish them."""
    stand_in = sys.modules.get("azureml.contrib.services.aml_request")
    return bool(getattr(stand_in, "requested", False))


def _has_schema(run: "Callable[..., Any]") -> bool:
    """Return whether the function has an input or output schema of inference-schema."""
    schemas = sys.modules.get("inference_schema.schema_util")
    return schemas is not None and bool(schemas.is_schema_decorated(run))
