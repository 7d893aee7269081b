"""Splits the result of one call of `run()` into parts for several requests, and compares responses."""

import json
import math
import sys
from typing import Any, Callable, List, Optional, Sequence

from gpu_inference_script import results
from gpu_inference_script.response import Response

# Tolerances between two calls: sums over many rows are computed in another order than over one.
_RELATIVE, _ABSOLUTE = 1e-2, 1e-4


def parts(result: Any, counts: Sequence[int]) -> Optional[List[Any]]:
    """Return the part of a result for each request; None if the result does not have one entry per row.

    Args:
        result: what `run()` returned: a list, array, tensor or DataFrame with one entry per row, or a
        dictionary
            of these.
        counts: the number of rows of each request.

    Example:
        >>> parts([1, 2, 3], [1, 2])
        [[1], [2, 3]]
    """
    total = sum(counts)
    if isinstance(result, dict):
        columns = {name: _by_row(value, total) for name, value in result.items()}
        if not columns or any(rows is None for rows in columns.values()):
            return None
        return [{name: rows[at] for name, rows in columns.items()} for at in _places(counts)]
    rows = _by_row(result, total)
    return None if rows is None else [rows[at] for at in _places(counts)]


def _places(counts: Sequence[int]) -> List[slice]:
    places, begin = [], 0
    for count in counts:
        places.append(slice(begin, begin + count))
        begin += count
    return places


def _by_row(result: Any, total: int) -> Any:
    """Return an object whose slices encode like the result's rows; None if the number of rows differs."""
    if isinstance(result, (list, tuple)):
        return result if len(result) == total else None
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")  # type: Any, Any
    if numpy is not None and isinstance(result, numpy.ndarray):
        if not result.ndim or len(result) != total:
            return None
        return result.tolist() if type(result) is numpy.ndarray and result.dtype.kind in "biuf" else result
    if hasattr(pandas, "DataFrame") and isinstance(result, (pandas.DataFrame, pandas.Series)):
        return result.iloc if len(result) == total else None
    # PyTorch, JAX and CuPy arrays have `tolist`; TensorFlow tensors have `numpy`.
    for name in ("tolist", "numpy"):
        if callable(getattr(type(result), name, None)) and hasattr(result, "__len__"):
            return _by_row(getattr(result, name)(), total)
    return None


def as_array(result: Any) -> Any:
    """Return a result as an array of numbers; None if it is not one."""
    numpy: "Any" = sys.modules.get("numpy")
    if numpy is None:
        return None
    if isinstance(result, (list, tuple)):
        try:
            result = numpy.asarray(result)
        except (TypeError, ValueError, OverflowError):
            return None
    return result if isinstance(result, numpy.ndarray) and result.dtype.kind in "biuf" else None


def number_writer() -> Callable[[Any], bytes]:
    """Return a function like `results.encode` that encodes numbers several times as fast.

    Some numbers are spelled differently, such as 0.00001 for 1e-05.
    """
    try:
        from msgspec.json import encode
    except ImportError:
        return results.encode

    def write(part: Any) -> bytes:
        first = part
        while type(first) is list and first:
            first = first[0]
        if type(first) is float or type(first) is int:
            try:
                text = encode(part)
            except (TypeError, ValueError, RecursionError):
                return results.encode(part)
            # Only numbers, and no null, which also stands for NaN.
            if b"l" not in text and b'"' not in text:
                return text
        return results.encode(part)

    return write


def alike(one: Response, other: Response) -> bool:
    """Return whether two responses are the same except for the last digits of their numbers."""
    if not (one.status == other.status == 200 and one.content_type == other.content_type):
        return False
    if not (isinstance(one.body, bytes) and isinstance(other.body, bytes)):
        return False
    if one.body == other.body:
        return True
    if one.content_type != "application/json":
        # For the bytes of arrays, compare only the size.
        return len(one.body) == len(other.body)
    return _close(json.loads(one.body.decode()), json.loads(other.body.decode()))


def _close(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        same = one == other or (one != one and other != other)
        return same or math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_close(value, other[key]) for key, value in one.items())
    return bool(one == other)
