"""The parameter of a `run()` with `@input_schema("x", NumpyParameterType(...))`, and arrays for it.

The decorator accepts an array as it is. So one array can hold several requests, and a binary array needs no
JSON.
"""

import inspect
import json
import sys
from typing import Any, Callable, Optional

from gpu_inference_script.arrays import from_binary
from gpu_inference_script.binary_arrays import ArrayError
from gpu_inference_script.inputs import InputError
from gpu_inference_script.json_arrays import JsonArrays, fitted
from gpu_inference_script.request import Request

_HEADERS = "request_headers"
# NumPy does not make int64 of integers of at least this size.
_NO_INT64 = 2.0**63


class NumpyParameter:
    """The only parameter of `run()` that comes from the request.

    Args:
        name: the parameter's name.
        parameter_type: its NumpyParameterType.
    """

    def __init__(self, name: str, parameter_type: Any) -> None:
        self.name = name
        self._type = parameter_type
        self._dtype = parameter_type.sample_input.dtype
        self._shape = parameter_type.sample_input.shape
        self._plain = self._dtype.kind in "iuf" and self._dtype.itemsize <= 8
        # Made when a request first needs it, which is rare.
        self._json: "Optional[JsonArrays]" = None

    def from_binary(self, request: Request) -> Any:
        """Return the array in the body; None if the content type is not a binary media type.

        Raises:
            InputError: the body is not an array of the sample's shape, or does not fit its type.
        """
        array = from_binary(request)
        if array is None:
            return None
        if self._type.enforce_shape and not self._has_shape(array):
            wanted = "x".join(["n"] + [str(length) for length in self._shape[1:]])
            found = "x".join(str(length) for length in array.shape)
            raise InputError(
                400, f"The {self.name!r} parameter takes an array of {wanted}, but the body has {found}."
            )
        if not self._type.enforce_column_type or array.dtype == self._dtype:
            return array
        if not self._plain:
            raise InputError(400, f"The {self.name!r} parameter takes {self._dtype}: send JSON.")
        try:
            return self._as_floats(array) if self._dtype.kind == "f" else fitted(array, self._dtype)
        except ArrayError as error:
            raise InputError(400, str(error)) from None

    def from_json(self, request: Request) -> Any:
        """Return the array that the decorator would make; None if it would make none or fail."""
        kind = request.content_type
        json_kind = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
        if request.method != "POST" or not json_kind:
            return None
        body = bytes(request.body)
        array = self._fast_array(body) if self._plain or not self._type.enforce_column_type else None
        if array is None:
            try:
                array = self._type.deserialize_input(json.loads(body)[self.name])
            # A call for this request alone reports the error to the client.
            except Exception:
                return None
        return array

    def _fast_array(self, body: bytes) -> Any:
        json_arrays = self._json = self._json or JsonArrays()
        enforced = self._type.enforce_column_type
        array = json_arrays.numbers(body, self.name, whole=not enforced or self._dtype.kind != "f")
        if array is None and not enforced:
            array = json_arrays.numbers(body, self.name, whole=False)
            if array is not None and not (abs(array) < _NO_INT64).all():
                return None
        if array is None or (self._type.enforce_shape and not self._has_shape(array)):
            return None
        if not enforced:
            return array
        if self._dtype.kind == "f":
            return self._as_floats(array)
        try:
            return fitted(array, self._dtype)
        except ArrayError:
            return None

    def _as_floats(self, array: Any) -> Any:
        import numpy

        with numpy.errstate(over="ignore"):
            return array.astype(self._dtype)

    def _has_shape(self, array: Any) -> bool:
        return bool(array.ndim == len(self._shape) and array.shape[1:] == self._shape[1:])


def numpy_parameter(run: Callable[..., Any]) -> Optional[NumpyParameter]:
    """Return the parameter if it is the only one that `run()` takes from the request; else None."""
    try:
        names = [name for name in inspect.signature(run).parameters if name != _HEADERS]
    except (TypeError, ValueError):
        return None
    kind = getattr(
        sys.modules.get("inference_schema.parameter_types.numpy_parameter_type"), "NumpyParameterType", ()
    )
    found = [given for given in _input_schemas(run) if isinstance(given.get("param_type"), kind)]
    if len(names) != 1 or len(found) != 1 or found[0].get("param_name") != names[0]:
        return None
    # With these options, the decorator does not simply convert its input.
    if found[0].get("optional") or not found[0].get("convert_to_provided_type", True):
        return None
    return NumpyParameter(names[0], found[0]["param_type"])


def _input_schemas(run: Any) -> Any:
    """Yield the arguments of each `@input_schema`, from the closure of its decorator."""
    while run is not None:
        decorator = getattr(run, "_self_wrapper", None)
        if inspect.isfunction(decorator) and decorator.__name__ == "decorator_input":
            yield inspect.getclosurevars(decorator).nonlocals
        run = getattr(run, "__wrapped__", None)
