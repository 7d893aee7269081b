"""Encodes the results of `run()` as JSON.

What `json.dumps` can encode is encoded with it, byte for byte as by v1's server. Other values, for which v1's
server responded with 500, get their obvious form; docs/entry-scripts.md has the table. No library is imported
for this: if a value has a library's type, the script has imported the library.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence, Set, ValuesView
from enum import Enum
from typing import Any, List, Union


def encode(result: Any) -> bytes:
    """Return the JSON text of a result; `{}` for None.

    Raises:
        Exception: the result, or a value in it, has no JSON form.
    """
    if result is None:
        return b"{}"
    try:
        return _write(result).encode()
    except TypeError:
        # It may have been just a dictionary key: `default` is not called for keys.
        return json.dumps(_with_json_keys(result), default=_simplified_with_json_keys).encode()


def _simplified(value: Any) -> Any:
    """Return a simpler value, which may still contain values that json does not know.

    Raises:
        TypeError: the value has no obvious JSON form.
    """
    # Libraries first: some of their types are subclasses of Python's (pandas.NaT is a datetime).
    for convert in (_from_numpy, _from_pandas, _from_pydantic, _from_python, _from_tensor):
        found = convert(value)
        if found is not NotImplemented:
            return found
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


# json.dumps would make a new encoder for each call with a `default`.
_write = json.JSONEncoder(default=_simplified).encode


def _is_a(value: Any, module: str, *names: str) -> bool:
    """Return whether a value is an instance of one of a module's classes."""
    imported = sys.modules.get(module)
    # A module that is still being imported may lack its classes.
    return any(isinstance(value, getattr(imported, name, ())) for name in names)


def _from_numpy(value: Any) -> Any:
    numpy: "Any" = sys.modules.get("numpy")
    if not _is_a(value, "numpy", "generic", "ndarray"):
        return NotImplemented
    if value.dtype.kind in "mM":
        if value.ndim:
            return list(value)
        if numpy.isnat(value):
            return None
        if value.dtype.kind == "M":
            return str(numpy.datetime_as_string(value))
        return float(value / numpy.timedelta64(1, "s"))
    # item() of a longdouble returns a longdouble.
    if isinstance(value, numpy.longdouble):
        return float(value)
    return value.tolist()


def _from_pandas(value: Any) -> Any:
    pandas: "Any" = sys.modules.get("pandas")
    # pandas may still be being imported, and lack its classes.
    if not hasattr(pandas, "DataFrame"):
        return NotImplemented
    # pandas.NA is new in pandas 1.
    if value is pandas.NaT or value is getattr(pandas, "NA", pandas.NaT):
        return None
    if isinstance(value, pandas.DataFrame):
        if not value.columns.is_unique:
            raise ValueError("The DataFrame has several columns with the same name: it has no JSON form.")
        return [
            {name if isinstance(name, str) else str(name): cell for name, cell in row.items()}
            for row in _without_missing(value).to_dict(orient="records")
        ]
    if isinstance(value, pandas.Series):
        return _without_missing(value).tolist()
    if isinstance(value, (pandas.Index, pandas.api.extensions.ExtensionArray)):
        return _without_missing(pandas.Series(value)).tolist()
    return str(value) if isinstance(value, (pandas.Period, pandas.Interval)) else NotImplemented


def _without_missing(cells: Any) -> Any:
    """Return a DataFrame or Series with None (JSON's null) for missing values."""
    return cells.astype(object).where(cells.notna(), None)


def _from_pydantic(value: Any) -> Any:
    # pydantic.v1 is version 1 inside version 2.
    if _is_a(value, "pydantic", "BaseModel") or _is_a(value, "pydantic.v1", "BaseModel"):
        return value.model_dump() if hasattr(value, "model_dump") else value.dict()
    return NotImplemented


def _from_python(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _text(bytes(value))
    if isinstance(value, Enum):
        return value.value
    if _is_a(value, "datetime", "date", "time"):
        return value.isoformat()
    if _is_a(value, "datetime", "timedelta"):
        return value.total_seconds()
    if _is_a(value, "decimal", "Decimal"):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if _is_a(value, "uuid", "UUID") or _is_a(value, "pathlib", "PurePath"):
        return str(value)
    dataclasses: "Any" = sys.modules.get("dataclasses")
    if dataclasses is not None and dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return _in_order(value)
    return list(value) if isinstance(value, (Sequence, Set, ValuesView)) else NotImplemented


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return b64encode(value).decode("ascii")


def _in_order(values: Any) -> "List[Any]":
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _from_tensor(value: Any) -> Any:
    """Return the content of an array: `tolist()` for PyTorch, JAX and CuPy, `numpy()` for TensorFlow."""
    for name in ("tolist", "numpy"):
        # Check the class: some objects have every attribute.
        if callable(getattr(type(value), name, None)):
            return getattr(value, name)()
    return NotImplemented


def _with_json_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_json_key(key): _with_json_keys(each) for key, each in value.items()}
    return [_with_json_keys(each) for each in value] if isinstance(value, (list, tuple)) else value


def _simplified_with_json_keys(value: Any) -> Any:
    return _with_json_keys(_simplified(value))


def _json_key(key: Any) -> "Union[str, int, float, None]":
    if key is None or isinstance(key, (str, int, float)):
        return key
    if isinstance(key, (list, tuple, dict)):
        raise TypeError(f"A {type(key).__name__} cannot be a key of a JSON object.")
    return _json_key(_simplified(key))
