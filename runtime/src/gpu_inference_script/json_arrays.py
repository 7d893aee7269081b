"""Reads rows of numbers from JSON into an array with pysimdjson, without a Python object for each number.

pysimdjson is used if it is installed, and if its result is certainly that of Python's own parser and NumPy;
everything else, including every error, is left to them.
"""

import json
from typing import Any, Callable, List, Optional, Tuple

from gpu_inference_script.binary_arrays import ArrayError

# The characters of JSON's numbers and whitespace: without them, only the structure is left.
_NOT_STRUCTURE = b"0123456789+-.eE \t\r\n"
# For shorter rows, checking the whole structure is cheaper than checking each row.
_LONG_ROW_BYTES = 400
# A parser keeps several times the memory of the largest text that it has read.
_MAX_KEPT_BYTES = 4 << 20
_NUMBERS: "frozenset[type]" = frozenset({int, float})
_WHOLE_IN_FLOAT = 2**53 - 1

_BYTE_ORDER_MARK = b"\xef"
_UNEVEN = "All rows of a request must have the same shape."
_FORM = 'The body must be a list of rows, or an object with one such list: {"data": [[1, 2], [3, 4]]}.'


class JsonArrays:
    """Reads arrays from JSON texts."""

    def __init__(self) -> None:
        import numpy

        self._numpy = numpy
        self._parser = _simdjson_parser()
        self._parsers: "List[Any]" = []
        self._loads = _fast_loads()

    def array(self, body: bytes, dtype: Any) -> Any:
        """Return the rows of a body that is a list of rows, or an object with one such list.

        Args:
            body: a JSON text.
            dtype: an integer type, which the array then has; or a float type, for an array of float64.

        Raises:
            ArrayError: the body is neither, or a number does not fit the type.
        """
        whole = dtype.kind == "i" and dtype.itemsize == 8
        array = self.numbers(body, None, whole)
        if array is None:
            array = self._from_lists(_rows(self._parsed(body)), dtype)
        return array if dtype.kind == "f" else fitted(array, dtype)

    def numbers(self, body: bytes, name: Optional[str], whole: bool) -> Any:
        """Return an array of float64, or of int64 if all numbers must be `whole`; several times as fast.

        Args:
            body: a JSON text.
            name: name of the object's only member; None for any name, or a list without an object.
            whole: whether integers are wanted.

        Returns:
            None if Python's parser has to read the body.
        """
        if self._parser is None or body[:1] == _BYTE_ORDER_MARK:
            return None
        parser = self._parsers.pop() if self._parsers else self._parser()
        try:
            array = self._read(parser, body, name, whole)
        # Python's parser reports what is wrong with the text.
        except Exception:
            array = None
        # Only now does nothing refer to the parser's last document any more.
        if len(body) <= _MAX_KEPT_BYTES:
            self._parsers.append(parser)
        return array

    def _read(self, parser: Any, body: bytes, name: Optional[str], whole: bool) -> Any:
        rows = parser.parse(body)
        if not hasattr(rows, "as_buffer"):
            # Exactly one member: with several, a name may be repeated.
            (found,) = rows
            if name is not None and found != name:
                return None
            # Not with items(), which makes Python objects of everything.
            rows = rows[found]
        elif name is not None:
            return None
        # Nested lists give one flat buffer. Anything but numbers raises.
        flat = self._numpy.frombuffer(rows.as_buffer(of_type="i" if whole else "d"), "i8" if whole else "f8")
        shape = _shape(rows, body, flat.size)
        return None if shape is None else flat.reshape(shape)

    def _parsed(self, body: bytes) -> Any:
        try:
            text = str(body, "utf-8")
        except UnicodeDecodeError as error:
            raise ArrayError(f"The body is not UTF-8: {error}") from None
        try:
            try:
                return self._loads(text)
            except RecursionError:
                raise
            except Exception:
                return json.loads(text)
        except RecursionError:
            raise ArrayError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ArrayError(f"The body is not JSON: {error}") from None

    def _from_lists(self, rows: List[Any], dtype: Any) -> Any:
        _check_numbers(rows)
        try:
            # Via float64 to the wanted type, like pysimdjson's numbers.
            return self._numpy.array(rows, "f8" if dtype.kind == "f" else None)
        except OverflowError:
            raise ArrayError("A number is too large.") from None
        except (TypeError, ValueError):
            raise ArrayError(_UNEVEN) from None


def _simdjson_parser() -> Optional[Callable[[], Any]]:
    try:
        from simdjson import Parser
    except ImportError:
        return None
    return Parser  # type: ignore[no-any-return, unused-ignore]


def _fast_loads() -> Callable[[str], Any]:
    try:
        from msgspec.json import Decoder
    except ImportError:
        return json.loads
    return Decoder().decode


def _shape(rows: Any, body: bytes, size: int) -> Optional[Tuple[int, ...]]:
    """Return the shape of nested lists; None if they have none, or if it is uncertain."""
    count, first = len(rows), rows[0]
    if type(first) is type(rows):
        width = len(first)
        if count * width == size and len(body) > count * _LONG_ROW_BYTES and _has_brackets(body, count + 1):
            return (count, width) if count == 1 or all(len(row) == width for row in rows) else None
    lengths = [count]
    while type(first) is type(rows):
        lengths.append(len(first))
        first = first[0]
    if size != _product(lengths):
        return None
    structure = body.translate(None, _NOT_STRUCTURE).rstrip(b"}")
    return tuple(lengths) if structure.endswith(_structure(lengths)) else None


def _product(lengths: List[int]) -> int:
    product = 1
    for length in lengths:
        product *= length
    return product


def _has_brackets(body: bytes, count: int) -> bool:
    """Return whether the text has exactly this many opening brackets; then the rows contain no lists."""
    position = -1
    for _ in range(count):
        position = body.find(b"[", position + 1)
        if position < 0:
            return False
    return body.find(b"[", position + 1) < 0


def _structure(lengths: List[int]) -> bytes:
    structure = b""
    for length in reversed(lengths):
        structure = b"[" + b",".join([structure] * length) + b"]"
    return structure


def _rows(content: Any) -> List[Any]:
    if isinstance(content, dict) and len(content) == 1:
        (content,) = content.values()
    if not isinstance(content, list):
        raise ArrayError(_FORM)
    return content


def _check_numbers(rows: List[Any]) -> None:
    """Refuse values that NumPy would convert to numbers: true, null, and strings like "1.5".

    Raises:
        ArrayError: the nested lists hold anything but numbers.
    """
    types = set(map(type, rows))
    if types == {list}:
        for row in rows:
            _check_numbers(row)
    elif list in types and types <= _NUMBERS | {list}:
        raise ArrayError(_UNEVEN)
    elif not types <= _NUMBERS:
        raise ArrayError("The rows must hold only numbers.")


def fitted(array: Any, dtype: Any) -> Any:
    """Return an array's numbers in an integer type.

    Raises:
        ArrayError: a number is not an integer, or is out of the type's range.
    """
    import numpy

    if array.dtype == dtype:
        return array
    limits = numpy.iinfo(dtype)
    outside = f"run() takes {dtype}: whole numbers from {limits.min} to {limits.max}."
    if array.dtype.kind == "O":
        # Integers of more than 64 bits; before NumPy 1.24, also rows of different shapes.
        raise ArrayError(_UNEVEN if any(isinstance(each, list) for each in array.flat) else outside)
    if array.dtype.kind == "f":
        fits = numpy.isfinite(array).all() and (numpy.trunc(array) == array).all()
        # Beyond this, floats may differ from the integers that the client sent.
        low, high = max(limits.min, -_WHOLE_IN_FLOAT), min(limits.max, _WHOLE_IN_FLOAT)
    else:
        fits, low, high = True, limits.min, limits.max
    if not (fits and (array.size == 0 or (int(array.min()) >= low and int(array.max()) <= high))):
        raise ArrayError(outside)
    return array.astype(dtype)
