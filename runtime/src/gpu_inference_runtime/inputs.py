"""From a request to the arguments of `run()`: one class for each kind of script."""

import json
from typing import Any, Protocol

from gpu_inference_runtime.messages import Request


class InputError(Exception):
    """The client sent what the script cannot be given.

    Args:
        status: the answer's, 4xx.
        message: for the client.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Inputs(Protocol):
    """What a script's `run()` takes."""

    methods: frozenset[str]
    """The HTTP methods that call `run()`."""

    def arguments(self, request: Request, body: bytes) -> dict[str, Any]:
        """Return the keyword arguments of `run()`. Called on a thread of the front end, with no slot taken.

        Raises:
            InputError: the request has none.
        """


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
            return {self._parameter: json.dumps(query_values(request))}
        try:
            return {self._parameter: body.decode("utf-8")}
        except UnicodeDecodeError as error:
            raise InputError(400, f"Input cannot be decoded as UTF-8: {error}") from None


def query_values(request: Request) -> dict[str, Any]:
    """Return the query's parameters, each as JSON where it is, else as text; a repeated one as a list."""
    values = {name: [_json_or_text(value) for value in each] for name, each in request.query.items()}
    return {name: each[0] if len(each) == 1 else each for name, each in values.items()}


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
