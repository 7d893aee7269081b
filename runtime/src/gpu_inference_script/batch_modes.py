"""The three modes in which one call of `run()` serves several requests: `merge`, `schema` and `array`.

A mode decides whether a request can share a call, with which others, and what the call's argument is.
"""

from typing import Any, List, Optional

from gpu_inference_script import arrays, row_texts
from gpu_inference_script.arrays import ArrayReader
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.inputs import TextInputs
from gpu_inference_script.numpy_schema import NumpyParameter, numpy_parameter
from gpu_inference_script.request import Request

# For a form, the script gets an empty text.
_FORMS = ("application/x-www-form-urlencoded", "multipart/")


class Member:
    """A request's part of a batch.

    Args:
        content: the request's rows, for `Mode.argument`.
        rows: the number of rows.
        group: members can share a batch only if their groups are equal.
        wanted: the media type in which the client wants an array; None for JSON.
    """

    __slots__ = ("content", "group", "rows", "wanted")

    def __init__(self, content: Any, rows: int, group: Any, wanted: Optional[str] = None) -> None:
        self.content = content
        self.rows = rows
        self.group = group
        self.wanted = wanted


class Mode:
    """Base class of the modes."""

    requires_batches = False
    """Whether the script was written for batches, so that even one request is a batch."""

    parameter = ""
    """The parameter of `run()` that takes the batch."""

    def member(self, request: Request) -> Optional[Member]:
        """Return the request's part of a batch; None if the request must be scored alone.

        Raises:
            InputError: the request cannot be scored at all.
        """
        raise NotImplementedError

    def argument(self, members: List[Member]) -> Any:
        """Return the argument of `run()` for a batch."""
        raise NotImplementedError

    def become_stricter(self) -> bool:
        """Combine fewer requests from now on, because a batch failed; return whether that is possible."""
        return False


class Merge(Mode):
    """For an unmodified `run(raw_data)`: one text `{"data": [row, row, …]}` with the rows of all requests."""

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter
        self._with_lengths = False

    def member(self, request: Request) -> Optional[Member]:
        """Return the rows in the text."""
        if request.method != "POST" or request.content_type.startswith(_FORMS):
            return None
        try:
            body = request.text()
        except UnicodeDecodeError:
            return None
        rows = row_texts.find_rows(body, self._with_lengths)
        return None if rows is None else Member(rows, rows.count, (rows.key, rows.kind))

    def argument(self, members: List[Member]) -> Any:
        """Return one text with the rows of all members."""
        return row_texts.join_rows([member.content for member in members])

    def become_stricter(self) -> bool:
        """Distinguish rows of different lengths from now on."""
        careful, self._with_lengths = self._with_lengths, True
        return not careful


class Schema(Mode):
    """For a `run()` with `@input_schema` of one array: the concatenated arrays of all requests."""

    def __init__(self, parameter: NumpyParameter) -> None:
        self.parameter = parameter.name
        self._type = parameter

    def member(self, request: Request) -> Optional[Member]:
        """Return the array of a request."""
        binary = arrays.mentions_binary(request)
        array = self._type.from_binary(request) if binary else None
        if array is None:
            array = self._type.from_json(request)
        if array is None or not array.ndim or not len(array):
            return None
        wanted = arrays.accepted(request) if binary else None
        return Member(array, len(array), (array.shape[1:], array.dtype), wanted)

    def argument(self, members: List[Member]) -> Any:
        """Return one array."""
        import numpy

        return numpy.concatenate([member.content for member in members])


class Array(Mode):
    """For a script written for batches: `run(array)` returns one row for each row."""

    requires_batches = True

    def __init__(self, parameter: str, dtype: str) -> None:
        self.parameter = parameter
        self._reader = ArrayReader(dtype)

    def member(self, request: Request) -> Member:
        """Return the array of a request.

        Raises:
            InputError: the request has no valid array.
        """
        binary = arrays.mentions_binary(request)
        array = self._reader.rows(request, binary)
        return Member(array, len(array), array.shape[1:], arrays.accepted(request) if binary else None)

    def argument(self, members: List[Member]) -> Any:
        """Return one array."""
        return self._reader.joined([member.content for member in members])


class UnsupportedScriptError(Exception):
    """The script or its environment does not support the batching mode; the text says why."""


def mode_of(script: EntryScript, batching: str, dtype: str) -> Mode:
    """Return the mode for a script.

    Args:
        script: the loaded script.
        batching: `merge`, `schema` or `array`.
        dtype: for `array`, NumPy's name of the array's type.

    Raises:
        UnsupportedScriptError: the script does not support the mode.
    """
    if batching == "schema":
        parameter = None if script.takes_headers else numpy_parameter(script.run)
        if parameter is None:
            raise UnsupportedScriptError(
                "run() has no @input_schema of one NumpyParameterType alone, or takes headers"
            )
        return Schema(parameter)
    if not isinstance(script.inputs, TextInputs) or script.takes_headers:
        raise UnsupportedScriptError("run() is decorated, or takes the headers of each request")
    if batching == "merge":
        return Merge(script.inputs.parameter)
    try:
        return Array(script.inputs.parameter, dtype)
    except ImportError:
        raise UnsupportedScriptError("the script's Python has no numpy") from None
