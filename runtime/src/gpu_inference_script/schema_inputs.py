"""The arguments of a `run()` that is decorated with `@input_schema` (package inference-schema).

The decorators themselves convert the values, when `run()` is called; here is only taken apart what they get.
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

# The function of inference-schema in which every conversion of an argument happens.
_CONVERSION = ("inference_schema.schema_decorators", "_deserialize_input_argument")
# What goes wrong in a conversion without the client having done anything.
_NOT_THE_CLIENTS = (MemoryError, ImportError, TimeoutError)
_LONGEST_REASON = 500


class SchemaInputs(Inputs):
    """The members of a JSON object, or the query parameters of a GET, by the names of run()'s parameters.

    Args:
        run: the decorated function.
        parameters: of `run()`, those that are taken from the request.
    """

    methods = frozenset({"GET", "POST"})

    def __init__(self, run: "Callable[..., Any]", parameters: "Sequence[inspect.Parameter]") -> None:
        self._code = getattr(inspect.unwrap(run), "__code__", None)
        self._defaults = {parameter.name: parameter.default for parameter in parameters}
        # Where there is only this one, the body may be an array's bytes.
        self._array = numpy_parameter(run)

    def arguments(self, request: Request) -> "Dict[str, Any]":
        """Return a value for each parameter: the client's, or its Python default.

        Raises:
            InputError: it is no JSON object and no array, or lacks a parameter that has no default.
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
        """Return what the client accepts, where the script has to do with arrays."""
        return None if self._array is None else accepted(request)

    def client_fault(self, error: BaseException, request: Request) -> "Optional[str]":  # noqa: ARG002
        """Return which parameter does not match the schema, and why, where a decorator found that."""
        frame = self._conversion(error)
        if frame is None or isinstance(error, _NOT_THE_CLIENTS) or not isinstance(error, Exception):
            return None
        # A defect of the type itself: inference-schema 1.8 calls datetime.date.strptime, which Python lacks.
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
        return f"The value of the {name!r} parameter does not match the schema: {reason[:_LONGEST_REASON]}"

    def _conversion(self, error: BaseException) -> "Optional[FrameType]":
        """Return the frame in which an argument of `run()` was being converted, before its own code began."""
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if frame.f_code is self._code:
                return None
            if (frame.f_globals.get("__name__"), frame.f_code.co_name) == _CONVERSION:
                return frame
        return None


def _lacked_by_a_type(error: AttributeError) -> bool:
    # Before Python 3.10 only the text tells: "type object 'datetime.date' has no attribute 'strptime'".
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
        raise InputError(400, f"POST body could not be decoded as text: {error}", foreseen=False) from None
    except RecursionError:
        raise InputError(400, "POST body is nested too deeply.", foreseen=False) from None
    # An integer of more digits than Python takes.
    except ValueError as error:
        raise InputError(400, f"POST body could not be decoded as JSON: {error}", foreseen=False) from None
    if not isinstance(content, dict):
        raise InputError(400, "POST body should be a JSON dictionary.")
    return content
