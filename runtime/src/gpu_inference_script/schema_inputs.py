"""The arguments of a `run()` that is decorated with `@input_schema` (package inference-schema).

The decorators convert the values when `run()` is called; this module only splits the request into values.
"""

import inspect
import json
import traceback
from types import FrameType
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from gpu_inference_script.arrays import accepted
from gpu_inference_script.inputs import InputError, Inputs, query_values
from gpu_inference_script.numpy_schema import numpy_parameter
from gpu_inference_script.request import Request

# The function of inference-schema that converts every argument.
_CONVERSION = ("inference_schema.schema_decorators", "_deserialize_input_argument")
# Errors in a conversion that are not the client's fault.
_NOT_CLIENT_ERRORS = (MemoryError, ImportError, TimeoutError)
_MAX_REASON = 500


class SchemaInputs(Inputs):
    """Takes the members of a JSON object, or the query parameters of a GET, as arguments by name.

    Args:
        run: the decorated function.
        parameters: the parameters of `run()` that come from the request.
    """

    methods = frozenset({"GET", "POST"})

    def __init__(self, run: "Callable[..., Any]", parameters: "Sequence[inspect.Parameter]") -> None:
        self._code = getattr(inspect.unwrap(run), "__code__", None)
        self._defaults = {parameter.name: parameter.default for parameter in parameters}
        # If this is the only parameter, the body may be a binary array.
        self._array = numpy_parameter(run)

    def arguments(self, request: Request) -> "Dict[str, Any]":
        """Return a value for each parameter: the client's, or its Python default.

        Raises:
            InputError: the body is neither a JSON object nor an array, or lacks a parameter without default.
        """
        if self._array is not None and request.method == "POST":
            array = self._array.from_binary(request)
            if array is not None:
                return {self._array.name: array}
        values = query_values(request.query) if request.method == "GET" else _json_object(request)
        arguments = {name: values.get(name, default) for name, default in self._defaults.items()}
        for name, value in arguments.items():
            if value is inspect.Parameter.empty:
                raise InputError(400, f"A value is not provided for the {name!r} parameter.")
        return arguments

    def media_type(self, request: Request) -> "Optional[str]":
        """Return the binary media type that the client prefers if `run()` takes an array; else None."""
        return None if self._array is None else accepted(request)

    def client_error(self, error: BaseException, request: Request) -> "Optional[str]":  # noqa: ARG002
        """Return which parameter does not match the schema, and why, if a decorator raised the error."""
        frame = self._conversion(error)
        if frame is None or isinstance(error, _NOT_CLIENT_ERRORS) or not isinstance(error, Exception):
            return None
        # A bug in inference-schema 1.8: it calls datetime.date.strptime, which does not exist.
        if isinstance(error, AttributeError) and _lacked_by_a_type(error):
            return None
        name = frame.f_locals.get("param_name")
        value = frame.f_locals.get("input_data")
        if value is not None and value is self._defaults.get(str(name)):
            return None
        # Unlike str(), this never fails.
        reason = "".join(traceback.format_exception_only(type(error), error)).strip()
        for prefix in ("ValueError: ", "Exception: "):
            if reason.startswith(prefix):
                reason = reason[len(prefix) :]
        return f"The value of the {name!r} parameter does not match the schema: {reason[:_MAX_REASON]}"

    def _conversion(self, error: BaseException) -> "Optional[FrameType]":
        """Return the frame that was converting an argument before `run()`'s own code began; else None."""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code is self._code:
                return None
            if (frame.f_globals.get("__name__"), frame.f_code.co_name) == _CONVERSION:
                return frame
        return None


def _lacked_by_a_type(error: AttributeError) -> bool:
    # Before Python 3.10, only the text shows it: "type object 'datetime.date' has no attribute 'strptime'".
    try:
        return isinstance(error.obj, type)  # type: ignore[attr-defined, unused-ignore]
    except AttributeError:
        return str(error).startswith("type object ")


def _json_object(request: Request) -> "Mapping[str, Any]":
    kind = request.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise InputError(415, "Expects Content-Type to be application/json")
    body = request.body_bytes
    try:
        content = json.loads(body)
    except json.JSONDecodeError as error:
        if not body:
            raise InputError(400, "POST body is empty. Expecting a JSON dictionary.") from None
        raise InputError(400, f"POST body could not be decoded as JSON: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(
            400, f"POST body could not be decoded as text: {error}", handled_by_v1=False
        ) from None
    except RecursionError:
        raise InputError(400, "POST body is nested too deeply.", handled_by_v1=False) from None
    # An integer has more digits than Python allows.
    except ValueError as error:
        raise InputError(
            400, f"POST body could not be decoded as JSON: {error}", handled_by_v1=False
        ) from None
    if not isinstance(content, dict):
        raise InputError(400, "POST body should be a JSON dictionary.")
    return content
