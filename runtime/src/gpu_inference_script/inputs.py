"""From a request to the arguments of `run()`: one class for each kind of script."""

import json
import re
from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from gpu_inference_script import flask_request
from gpu_inference_script.request import Request

# What str(list(row)) writes for a row of an array since numpy 2; v1's samples build a body so.
_NUMPY_SCALAR = re.compile(rb"\bnp\.(?:(?:float|int|uint|str|longdouble)\w*\(|True_|False_)")
_NUMPY_FAULT = (
    "The body holds numpy scalars in Python's notation (as in np.float64(0.5)), which is not JSON: "
    "str(list(row)) writes them since numpy 2. Build the body with json.dumps() of row.tolist()."
)
# Their body is a form, which Flask takes out of it: what is left as text is nothing.
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class InputError(Exception):
    """The client sent what the script cannot be given.

    Args:
        status: the answer's, 4xx.
        message: for the client.
        foreseen: whether v1's server told it to the client too, instead of failing.
    """

    def __init__(self, status: int, message: str, *, foreseen: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.foreseen = foreseen


class Inputs:
    """What a script's `run()` takes."""

    methods: "FrozenSet[str]" = frozenset()
    """The HTTP methods that call `run()`."""

    def arguments(self, request: Request) -> "Dict[str, Any]":
        """Return the keyword arguments of `run()`.

        Raises:
            InputError: the request has none.
        """
        raise NotImplementedError

    def media_type(self, request: Request) -> "Optional[str]":  # noqa: ARG002
        """Return the media type in which the client wants an array; None where it gets JSON."""
        return None

    def client_fault(self, error: BaseException, request: Request) -> "Optional[str]":  # noqa: ARG002
        """Return what the client did wrong, where an error of `run()` comes from that; None where not.

        Here: a sentence where the body was built from numpy's scalars.
        """
        return _NUMPY_FAULT if _NUMPY_SCALAR.search(request.body) else None


class TextInputs(Inputs):
    """For an undecorated `run()`: the body as text, or for GET the query parameters as a JSON object.

    Args:
        parameter: the name of run()'s parameter.
    """

    methods = frozenset({"GET", "POST"})

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter

    def arguments(self, request: Request) -> "Dict[str, Any]":
        """Return the text.

        Raises:
            InputError: the body is not UTF-8.
        """
        if request.method == "GET":
            return {self.parameter: json.dumps(query_values(request.query))}
        content_type = request.content_type
        if content_type in _FORMS and not _has_no_parts(content_type, request):
            return {self.parameter: ""}
        try:
            return {self.parameter: request.text()}
        except UnicodeDecodeError as error:
            raise InputError(400, f"Input cannot be decoded as UTF-8: {error}") from None


class RawInputs(Inputs):
    """For `@rawhttp`: Flask's request object.

    Args:
        parameter: the name of run()'s parameter.
    """

    methods = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter

    def arguments(self, request: Request) -> "Dict[str, Any]":
        """Return the request, whose body is all there."""
        return {self.parameter: flask_request.native(request)}


def _has_no_parts(content_type: str, request: Request) -> bool:
    # Where nothing tells the parts of a multipart body from each other, it stays as it is.
    return (
        content_type == "multipart/form-data" and "boundary=" not in request.headers_by_name["content-type"]
    )


def query_values(query: "Mapping[str, List[str]]") -> "Dict[str, Any]":
    """Return the query's parameters, each as JSON where it is, else as text; a repeated one as a list.

    Raises:
        InputError: a value is JSON that nobody can read.
    """
    values = {name: [_json_or_text(value) for value in each] for name, each in query.items()}
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
    except RecursionError:
        raise InputError(400, "A query parameter is nested too deeply.", foreseen=False) from None
