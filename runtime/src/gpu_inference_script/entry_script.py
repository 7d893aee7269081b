"""Loads the user's scoring script and knows its two functions, and what they take."""

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
# A parameter of this name gets the request's headers.
_HEADERS = "request_headers"
_NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

log = logging.getLogger("gpu_inference")


class EntryScriptError(Exception):
    """The script cannot be served; the text says which script and why."""


class EntryScript:
    """A loaded script.

    Args:
        init: prepares the model, once; when it returns all is done, also where it is asynchronous.
        run: answers one request; the user's own function.
        inputs: tells what `run()` takes.
        takes_headers: whether `run()` has a parameter `request_headers`.
        loop: where asynchronous functions are awaited.
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
            InputError: the client sent what the script cannot be given.
        """
        arguments = self.inputs.arguments(request)
        if self.takes_headers:
            # Written as Flask shows them.
            arguments[_HEADERS] = {name.title(): value for name, value in request.headers_by_name.items()}
        return Call(self, request, arguments)


class Call:
    """One call of `run()`, to be made.

    Args:
        script: whose `run()`.
        request: what it is called for.
        arguments: of `run()`, by their names.
    """

    __slots__ = ("_arguments", "_request", "_script")

    def __init__(self, script: EntryScript, request: Request, arguments: "Dict[str, Any]") -> None:
        self._script = script
        self._request = request
        self._arguments = arguments

    def make(self) -> Any:
        """Make the call and return what `run()` returns; of an asynchronous one what it comes to."""
        script = self._script
        result = script.run(**self._arguments)
        return result if type(result) in NOT_AWAITABLE else script.loop.finished(result)

    def client_fault(self, error: BaseException) -> "Optional[str]":
        """Return what the client did wrong, where an error of `make` comes from that; else None."""
        return self._script.inputs.client_fault(error, self._request)


def load_entry_script(
    entry_script: "Optional[str]", app_root: Path, *, overlapping: bool = False
) -> EntryScript:
    """Import the user's script, which runs its top-level code, and return its functions.

    Modules beside it are found after `add_script_folders`.

    Args:
        entry_script: its path, relative to the app root; None for the built-in script that returns its input.
        app_root: the folder that holds the user's source folder.
        overlapping: whether calls of `run()` may overlap.

    Raises:
        EntryScriptError: there is no such file, or it lacks `init()` or a `run()` that takes the input.
        BaseException: whatever the script's top level raises, a SyntaxError included.
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
    run = _run_of(module)
    try:
        inputs, takes_headers = _inputs(run)
    except EntryScriptError as error:
        raise EntryScriptError(f"User script at {path}: {error}") from None
    loop = EventLoop(overlapping=overlapping)
    loop.prepare(module.init, run)
    return EntryScript(lambda: loop.finished(module.init()), run, inputs, takes_headers, loop)


def add_script_folders(app_root: Path, source_directory: "Optional[str]") -> None:
    """Put the app root and the source folder at the end of `sys.path`: they hide no installed package.

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
    # Data classes and pickle look a class's module up by its name.
    sys.modules[_MODULE_NAME] = module
    spec.loader.exec_module(module)
    return module


def _run_of(module: ModuleType) -> "Callable[..., Any]":
    """Return the script's `run`, or that of the scoring script which a generated driver script wraps.

    Such drivers (of Azure ML's Designer) keep the user's module as `driver_module`, and hand arguments of a
    decorated `run()` on in a way that loses them.
    """
    driven = getattr(module, "driver_module", None)
    if isinstance(driven, ModuleType) and callable(getattr(driven, "run", None)):
        log.info("It is a driver script: run() is that of %s", driven.__file__ or driven.__name__)
        module = driven
    run: Callable[..., Any] = module.run
    return run


def _inputs(run: "Callable[..., Any]") -> "Tuple[Inputs, bool]":
    """Return what `run()` takes, and whether it takes the request's headers too.

    Raises:
        EntryScriptError: it takes what no request can give.
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
            log.warning(
                "run() has a parameter %r that nothing gives a value: each call fails", parameter.name
            )
    return TextInputs(names[0]), takes_headers


# Both questions are about packages that only the script can have imported.


def _wants_raw_requests() -> bool:
    """Whether the script used `@rawhttp`, on whatever function: v1's server did not look closer."""
    shim = sys.modules.get("azureml.contrib.services.aml_request")
    return bool(getattr(shim, "requested", False))


def _has_schema(run: "Callable[..., Any]") -> bool:
    """Whether inference-schema knows an input or output schema of the function."""
    schemas = sys.modules.get("inference_schema.schema_util")
    return schemas is not None and bool(schemas.is_schema_decorated(run))
