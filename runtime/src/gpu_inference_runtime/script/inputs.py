"""From a request to the arguments of `run()`: one class for each kind of script."""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol

from gpu_inference_runtime.messages import Request

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


class Inputs(Protocol):
    """What a script's `run()` takes."""

    methods: frozenset[str]
    """The HTTP methods that call `run()`."""

    def arguments(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the keyword arguments of `run()`. Called on a thread of the front end, with no slot taken.

        Raises:
            InputError: the request has none.
        """

    def client_fault(self, error: BaseException, body: bytes) -> str | None:
        """Return what the client did wrong, where an error of `run()` comes from that; None where not."""


class TextInputs:
    """For an undecorated `run()`: the body as text, or for GET the query parameters as a JSON object.

    Args:
        parameter: the name of run()'s parameter.
    """

    methods = frozenset({"GET", "POST"})

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def arguments(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the text.

        Raises:
            InputError: the body is not UTF-8.
        """
        if request.method == "GET":
            return {self._parameter: json.dumps(query_values(request.query))}
        if _is_form(request):
            return {self._parameter: ""}
        try:
            return {self._parameter: body.decode("utf-8")}
        except UnicodeDecodeError as error:
            raise InputError(400, f"Input cannot be decoded as UTF-8: {error}") from None

    def client_fault(self, error: BaseException, body: bytes) -> str | None:  # noqa: ARG002
        """Return a sentence where the body was built from numpy's scalars."""
        return _NUMPY_FAULT if _NUMPY_SCALAR.search(body) else None


class RawInputs:
    """For `@rawhttp`: the front end's own request object.

    Args:
        parameter: the name of run()'s parameter.
    """

    methods = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

    def __init__(self, parameter: str) -> None:
        self._parameter = parameter

    def arguments(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the request, whose body is all there."""
        return {self._parameter: request.native(body)}

    def client_fault(self, error: BaseException, body: bytes) -> str | None:  # noqa: ARG002
        """Return a sentence where the body was built from numpy's scalars."""
        return _NUMPY_FAULT if _NUMPY_SCALAR.search(body) else None


def _is_form(request: Request) -> bool:
    # Where nothing tells the parts of a multipart body from each other, it stays as it is.
    no_parts = (
        request.content_type == "multipart/form-data" and "boundary=" not in request.headers["content-type"]
    )
    return request.content_type in _FORMS and not no_parts


def query_values(query: Mapping[str, list[str]]) -> dict[str, Any]:
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
