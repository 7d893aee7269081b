"""The three ways in which one call of `run()` takes several requests: `merge`, `schema` and `array`.

Each tells whether a request can be in company, in which, and what the call's argument is.
"""

from typing import Any, List, Optional

from gpu_inference_script import arrays, row_texts
from gpu_inference_script.arrays import ArrayReader
from gpu_inference_script.entry_script import EntryScript
from gpu_inference_script.inputs import TextInputs
from gpu_inference_script.numpy_schema import NumpyParameter, numpy_parameter
from gpu_inference_script.request import Request

# Of a form the script gets an empty text.
_FORMS = ("application/x-www-form-urlencoded", "multipart/")


class Member:
    """What a request brings into a batch.

    Args:
        content: its rows, for `Mode.argument`.
        rows: how many there are.
        group: only members of equal groups can be in one batch.
        wanted: the media type in which the client wants an array; None for JSON.
    """

    __slots__ = ("content", "group", "rows", "wanted")

    def __init__(self, content: Any, rows: int, group: Any, wanted: Optional[str] = None) -> None:
        self.content = content
        self.rows = rows
        self.group = group
        self.wanted = wanted


class Mode:
    """One of the three ways."""

    is_contract = False
    """Whether the script was written for batches: then there is no other way to call it."""

    parameter = ""
    """The parameter of `run()` that takes them."""

    def member(self, request: Request) -> Optional[Member]:
        """Return what the request brings along; None where it has to be scored alone.

        Raises:
            InputError: it cannot be scored at all.
        """
        raise NotImplementedError

    def argument(self, members: List[Member]) -> Any:
        """Return what `run()` gets for a batch."""
        raise NotImplementedError

    def becomes_careful(self) -> bool:
        """After a call failed: put fewer requests together from now on; return whether that is possible."""
        return False


class Merge(Mode):
    """An unmodified `run(raw_data)`: the rows of all in one text, `{"data": [row, row, …]}`."""

    def __init__(self, parameter: str) -> None:
        self.parameter = parameter
        self._with_lengths = False

    def member(self, request: Request) -> Optional[Member]:
        """Return the rows that the text has."""
        if request.method != "POST" or request.content_type.startswith(_FORMS):
            return None
        try:
            body = request.text()
        except UnicodeDecodeError:
            return None
        rows = row_texts.rows_of(body, self._with_lengths)
        return None if rows is None else Member(rows, rows.count, (rows.key, rows.kind))

    def argument(self, members: List[Member]) -> Any:
        """Return the text with the rows of all."""
        return row_texts.one_text([member.content for member in members])

    def becomes_careful(self) -> bool:
        """Tell rows of different lengths from each other from now on."""
        careful, self._with_lengths = self._with_lengths, True
        return not careful


class Schema(Mode):
    """A `run()` with `@input_schema` of one array: the arrays of all, one below the other."""

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
    """A script that was written for it: `run(array)` returns one row for each row."""

    is_contract = True

    def __init__(self, parameter: str, dtype: str) -> None:
        self.parameter = parameter
        self._reader = ArrayReader(dtype)

    def member(self, request: Request) -> Member:
        """Return the array of a request.

        Raises:
            InputError: it has none.
        """
        binary = arrays.mentions_binary(request)
        array = self._reader.rows(request, binary)
        return Member(array, len(array), array.shape[1:], arrays.accepted(request) if binary else None)

    def argument(self, members: List[Member]) -> Any:
        """Return one array."""
        return self._reader.joined([member.content for member in members])


class UnfitError(Exception):
    """The script or its environment cannot do what is asked for; the text says why."""


def mode_of(script: EntryScript, batching: str, dtype: str) -> Mode:
    """Return the mode of a name.

    Raises:
        UnfitError: the script does not take its input so.
    """
    if batching == "schema":
        parameter = None if script.takes_headers else numpy_parameter(script.run)
        if parameter is None:
            raise UnfitError("run() has no @input_schema of one NumpyParameterType alone, or takes headers")
        return Schema(parameter)
    if not isinstance(script.inputs, TextInputs) or script.takes_headers:
        raise UnfitError("run() is decorated, or takes the headers of each request")
    if batching == "merge":
        return Merge(script.inputs.parameter)
    try:
        return Array(script.inputs.parameter, dtype)
    except ImportError:
        raise UnfitError("the script's Python has no numpy") from None
