"""Makes the arguments of `run()` from a request: one class for each kind of script."""

import json
import re
from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from gpu_inference_script import flask_request
from gpu_inference_script.request import Request

# What str(list(row)) returns for a row of an array since numpy 2; v1's samples build bodies like this.
_NUMPY_SCALAR = re.compile(rb"\bnp\.(?:(?:float|int|uint|str|longdouble)\w*\(|True_|False_)")
_NUMPY_ERROR = (
    "The body holds numpy scalars in Python's notation (as in np.float64(0.5)), which is not JSON: "
    "str(list(row)) writes them since numpy 2. Build the body with json.dumps() of row.tolist()."
)
# The body is a form. Flask parses it, which leaves no text for `run()`.
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class InputError(Exception):
    """A request is not what `run()` takes.

    Args:
        status: the response's status, 4xx.
        message: the text for the client.
        handled_by_v1: whether v1's server also sent the client this error, instead of failing.
    """

    def __init__(self, status: int, message: str, *, handled_by_v1: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.handled_by_v1 = handled_by_v1


class Inputs:
    """Makes the arguments of a script's `run()`."""

    methods: "FrozenSet[str]" = frozenset()
    """The HTTP methods that call `run()`."""

    def arguments(self, request: Request) -> "Dict[str, Any]":
        """Return the keyword arguments of `run()`.

        Raises:
            InputError: the request is not what `run()` takes.
        """
        raise NotImplementedError

    def media_type(self, request: Request) -> "Optional[str]":  # noqa: ARG002
        """Return the media type in which the client wants an array; None for JSON."""
        return None

    def client_error(self, error: BaseException, request: Request) -> "Optional[str]":  # noqa: ARG002
        """Return what the client did wrong if that caused an error of `run()`; else None.

        By default: a sentence if the body contains numpy scalars in Python's notation.
        """
        return _NUMPY_ERROR if _NUMPY_SCALAR.search(request.body) else None


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
        """Return Flask's request object."""
        return {self.parameter: flask_request.native(request)}


def _has_no_parts(content_type: str, request: Request) -> bool:
    # Without a boundary, Flask cannot parse a multipart body, and it stays text.
    return (
        content_type == "multipart/form-data" and "boundary=" not in request.headers_by_name["content-type"]
    )


def query_values(query: "Mapping[str, List[str]]") -> "Dict[str, Any]":
    """Return the query parameters, each as JSON if it is valid JSON, else as text; a repeated one as a list.

    Raises:
        InputError: a value is nested too deeply.

    Example:
        >>> query_values({"a": ["1"], "b": ["x", "2"]})
        {'a': 1, 'b': ['x', 2]}
    """
    values = {name: [_json_or_text(value) for value in each] for name, each in query.items()}
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
    except RecursionError:
        raise InputError(400, "A query parameter is nested too deeply.", handled_by_v1=False) from None
