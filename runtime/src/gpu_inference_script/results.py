"""The JSON text of what `run()` returned.

What `json.dumps` can write is written so, byte for byte as by v1's server. What it cannot write, and v1's
server answered with 500, gets its obvious form; docs/entry-scripts.md has the table.
No module is imported for this: a value of a library's type means that the script has imported it.
"""

import json
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence, Set, ValuesView
from enum import Enum
from typing import Any, List, Union


def encode(result: Any) -> bytes:
    """Return the JSON text of a result; of None `{}`.

    Raises:
        Exception: the result, or something in it, has no JSON form.
    """
    if result is None:
        return b"{}"
    try:
        return _write(result).encode()
    except TypeError:
        # Perhaps it was only a key of a dictionary: for those json has no `default`.
        return json.dumps(_with_json_keys(result), default=_nearer_with_json_keys).encode()


def _nearer(value: Any) -> Any:
    """Return something nearer to what json knows, which may again hold values that it does not know.

    Raises:
        TypeError: there is no obvious form.
    """
    # The libraries first: some of their types are also a type of Python's (pandas.NaT is a datetime).
    for convert in (_of_numpy, _of_pandas, _of_pydantic, _of_python, _of_a_tensor):
        found = convert(value)
        if found is not NotImplemented:
            return found
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


# What json.dumps makes for each call of its own that has a `default`.
_write = json.JSONEncoder(default=_nearer).encode


def _is_a(value: Any, module: str, *names: str) -> bool:
    """Whether the value is of one of a module's classes."""
    imported = sys.modules.get(module)
    # While a module is still being imported, it may have none of its classes.
    return any(isinstance(value, getattr(imported, name, ())) for name in names)


def _of_numpy(value: Any) -> Any:
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
    # Its item() is a longdouble again.
    if isinstance(value, numpy.longdouble):
        return float(value)
    return value.tolist()


def _of_pandas(value: Any) -> Any:
    pandas: "Any" = sys.modules.get("pandas")
    # While pandas is still being imported, it has none of its classes.
    if not hasattr(pandas, "DataFrame"):
        return NotImplemented
    # pandas.NA is new in pandas 1.
    if value is pandas.NaT or value is getattr(pandas, "NA", pandas.NaT):
        return None
    if isinstance(value, pandas.DataFrame):
        if not value.columns.is_unique:
            raise ValueError("The DataFrame has several columns of one name: it cannot become JSON objects.")
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
    """Return a DataFrame or Series with None, JSON's null, where it says that there is no value."""
    return cells.astype(object).where(cells.notna(), None)


def _of_pydantic(value: Any) -> Any:
    # The second is version 1 inside version 2.
    if _is_a(value, "pydantic", "BaseModel") or _is_a(value, "pydantic.v1", "BaseModel"):
        return value.model_dump() if hasattr(value, "model_dump") else value.dict()
    return NotImplemented


def _of_python(value: Any) -> Any:
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


def _of_a_tensor(value: Any) -> Any:
    """Return what PyTorch's, JAX's and CuPy's arrays call `tolist()`, and TensorFlow's tensors `numpy()`."""
    for name in ("tolist", "numpy"):
        # Of the class: some objects answer to any name.
        if callable(getattr(type(value), name, None)):
            return getattr(value, name)()
    return NotImplemented


def _with_json_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_json_key(key): _with_json_keys(each) for key, each in value.items()}
    return [_with_json_keys(each) for each in value] if isinstance(value, (list, tuple)) else value


def _nearer_with_json_keys(value: Any) -> Any:
    return _with_json_keys(_nearer(value))


def _json_key(key: Any) -> "Union[str, int, float, None]":
    if key is None or isinstance(key, (str, int, float)):
        return key
    if isinstance(key, (list, tuple, dict)):
        raise TypeError(f"A {type(key).__name__} cannot be a key of a JSON object.")
    return _json_key(_nearer(key))
