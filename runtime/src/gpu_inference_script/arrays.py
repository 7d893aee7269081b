"""Arrays from request bodies, and results as binary arrays if the client wants them."""

import functools
import sys
from typing import Any, List, Optional, Tuple

from gpu_inference_script.binary_arrays import (
    NPY,
    TENSOR,
    ArrayError,
    is_numeric,
    read_npy,
    read_tensor,
    write_npy,
    write_tensor,
)
from gpu_inference_script.inputs import InputError
from gpu_inference_script.json_arrays import JsonArrays, fitted
from gpu_inference_script.request import Request

_BINARY = frozenset({NPY, TENSOR})
# All binary media types begin with this. Without it in the head, no header needs to be parsed.
_MARK = b"application/x-"
_JSON = frozenset({"application/json", "application/*", "*/*"})


def mentions_binary(request: Request) -> bool:
    """Return whether a header may name one of the two binary media types; a quick check, True if unsure."""
    head = getattr(request, "head", None)
    return head is None or _MARK in head.lower()


def from_binary(request: Request) -> Any:
    """Return a copy of the array in the body; None if the content type is not a binary media type.

    Raises:
        InputError: the body does not match its content type or its header.
    """
    content_type = request.content_type
    if content_type not in _BINARY:
        return None
    try:
        return _native(_read(content_type, request))
    except ArrayError as error:
        raise InputError(400, str(error)) from None


def _read(content_type: str, request: Request) -> Any:
    body = memoryview(request.body)
    if content_type == NPY:
        return read_npy(body)
    return read_tensor(body, _header(request, "content-type"))


def _header(request: Request, name: str) -> str:
    """Return a header's value, possibly in lower case; empty if there is none."""
    head = getattr(request, "head", None)
    if head is not None:
        # Parsing all headers would cost more than everything else that is done for an array.
        lines, line = head.lower(), b"\r\n" + name.encode("ascii") + b":"
        begin = lines.find(line)
        if begin < 0:
            return ""
        begin += len(line)
        if lines.find(line, begin) < 0:
            return str(lines[begin : lines.index(b"\r\n", begin)], "latin-1").strip()
    return request.headers_by_name.get(name, "")


def _native(array: Any) -> Any:
    """Return a copy in this machine's byte order, C-contiguous."""
    import numpy

    return numpy.array(array, array.dtype.newbyteorder("="), order="C")


class ArrayReader:
    """Reads requests for a `run()` that takes one array.

    Args:
        dtype: NumPy's name of the array's type.
    """

    def __init__(self, dtype: str) -> None:
        import numpy

        self._numpy = numpy
        self.dtype = numpy.dtype(dtype)
        self._json = JsonArrays()

    def rows(self, request: Request, may_be_binary: bool = True) -> Any:
        """Return the rows of a request for `joined`: an array of at least two dimensions.

        It may share the body's memory, and may have another type if `run()` takes floats.

        Args:
            request: the request.
            may_be_binary: False if the caller knows that the body is JSON.

        Raises:
            InputError: there are no rows, or `run()` does not accept them.
        """
        if request.method != "POST":
            raise InputError(405, "run() takes an array: send it as the body of a POST.")
        content_type = request.content_type if may_be_binary else ""
        try:
            if content_type in _BINARY:
                array = _read(content_type, request)
                if self.dtype.kind != "f":
                    array = fitted(array, self.dtype)
            else:
                array = self._json.array(bytes(request.body), self.dtype)
        except ArrayError as error:
            raise InputError(400, str(error)) from None
        if not array.size:
            raise InputError(400, "The body has no rows, or empty ones.")
        if array.ndim < 2:
            raise InputError(400, "Each row must be a list: send [[1, 2, 3]] for one row of three numbers.")
        return array

    def joined(self, arrays: List[Any]) -> Any:
        """Return a new array of the type that `run()` takes, with the rows of all arrays."""
        rows = self._numpy.empty((sum(map(len, arrays)), *arrays[0].shape[1:]), self.dtype)
        # Numbers too large for the type become infinity, as in NumPy's other conversions, but without a
        # warning.
        with self._numpy.errstate(over="ignore"):
            begin = 0
            for array in arrays:
                end = begin + len(array)
                rows[begin:end] = array
                begin = end
        return rows


def accepted(request: Request) -> Optional[str]:
    """Return the binary media type that the client prefers to JSON; None for JSON."""
    return _preferred(_header(request, "accept")) if mentions_binary(request) else None


@functools.lru_cache(maxsize=64)
def _preferred(accept: str) -> Optional[str]:
    best, best_rank = None, (0.0, -1)  # type: Tuple[Optional[str], Tuple[float, int]]
    for kind, quality in _accept(accept):
        # Among equals, the first without a * wins.
        rank = (quality, 0 if "*" in kind else 1)
        if quality > 0 and rank > best_rank and (kind in _BINARY or kind in _JSON):
            best, best_rank = (kind if kind in _BINARY else None), rank
    return best


def _accept(value: str) -> List[Tuple[str, float]]:
    kinds = []
    for part in value.lower().split(","):
        kind, _, parameters = part.partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            name, _, number = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(number)
                except ValueError:
                    quality = 0.0
        kinds.append((kind.strip(), quality))
    return kinds


def binary_form(result: Any, media_type: Optional[str]) -> Optional[Tuple[bytes, str]]:
    """Return the bytes and the content type of a result in a binary media type.

    Returns:
        None for JSON: no binary media type is wanted, or the result is not an array of numbers.
    """
    numpy: "Any" = sys.modules.get("numpy")
    if media_type is None or numpy is None or not isinstance(result, numpy.ndarray) or not is_numeric(result):
        return None
    return (write_npy(result), NPY) if media_type == NPY else write_tensor(result)
