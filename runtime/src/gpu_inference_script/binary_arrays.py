"""Binary arrays: NumPy's file format, and plain numbers with their type and shape in a header.

Nothing is evaluated or unpickled: headers are parsed with patterns, and only numbers are read.
"""

import re
import struct
from typing import Any, Dict, Tuple

NPY = "application/x-npy"
TENSOR = "application/x-tensor"

_MAGIC = b"\x93NUMPY"
_PREFIXES = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}
# NumPy's own limit for untrusted files.
_MAX_HEADER = 10000
_ALIGNMENT = 64
_MEMBER = re.compile(
    r"\s*'(?P<name>descr|fortran_order|shape)'\s*:\s*"
    r"(?P<value>'[^']{1,20}'|True|False|\((?:\s*\d{1,18}L?\s*,)*(?:\s*\d{1,18}L?)?\s*\))\s*(?:,|$)"
)
_DESCR = re.compile(r"'[<>|=]?(?:b1|[iu][1248]|f[248])'")
_LENGTHS = re.compile(r"\d+")
_OBJECTS = "The array holds Python objects, which are not read because they need pickle."
_MAX_DIMENSIONS = 32
# The names of `application/x-tensor`, and NumPy's codes for them.
_CODES = {
    "bool": "|b1",
    "uint8": "|u1",
    "uint16": "<u2",
    "uint32": "<u4",
    "uint64": "<u8",
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
}
_SHAPE = re.compile("[0-9]{1,18}(?:x[0-9]{1,18})*")
_MAX_KEPT = 64

_Layout = Tuple[Any, bool, Tuple[int, ...]]
_npy_layouts: "Dict[bytes, _Layout]" = {}
_tensor_layouts: "Dict[str, _Layout]" = {}


class ArrayError(ValueError):
    """A body is not a readable array; the text tells the client why."""


def read_npy(body: "memoryview") -> Any:
    """Return the array of an .npy file; it shares the body's memory.

    Raises:
        ArrayError: the body is not an .npy file, or holds anything but numbers.
    """
    head = bytes(body[:12])
    prefix = _PREFIXES.get(head[6]) if len(head) == 12 and head[:6] == _MAGIC and head[7] == 0 else None
    if prefix is None:
        raise ArrayError("The body is not an .npy file of version 1.0, 2.0 or 3.0.")
    (length,) = prefix.unpack_from(head, 8)
    begin = 8 + prefix.size
    end = begin + length
    if length > _MAX_HEADER or end > len(body):
        raise ArrayError("The .npy file's header is longer than the body, or than 10000 bytes.")
    header = bytes(body[begin:end])
    layout = _npy_layouts.get(header)
    if layout is None:
        layout = _kept(_npy_layouts, header, _npy_layout(header))
    return _array(body[end:], layout)


def _npy_layout(header: bytes) -> _Layout:
    text = str(header, "latin-1").strip()
    if not (text.startswith("{") and text.endswith("}")):
        raise ArrayError("The .npy file's header cannot be read.")
    members, position, text = {}, 0, text[1:-1].rstrip()
    while position < len(text):
        match = _MEMBER.match(text, position)
        if match is None or match.group("name") in members:
            # For structured arrays, the type is a list.
            raise ArrayError("The .npy file's header cannot be read, or is that of a structured array.")
        members[match.group("name")] = match.group("value")
        position = match.end()
    descr, order, shape = (members.get(name, "") for name in ("descr", "fortran_order", "shape"))
    if descr[1:3] == "|O" or descr[1:2] == "O":
        raise ArrayError(_OBJECTS)
    if not (_DESCR.match(descr) and order in ("True", "False") and shape[:1] == "("):
        raise ArrayError(f"The .npy file holds something other than numbers: {descr or 'no type'}.")
    lengths = tuple(int(each) for each in _LENGTHS.findall(shape))
    # (3) is not a tuple in Python, and NumPy does not write it.
    if len(lengths) == 1 and "," not in shape:
        raise ArrayError("The .npy file's header cannot be read.")
    return _layout(descr[1:-1], order == "True", lengths)


def read_tensor(body: "memoryview", content_type: str) -> Any:
    """Return the array of a body that consists only of numbers; it shares the body's memory.

    Args:
        body: the numbers, little-endian, in C order.
        content_type: type and shape, as in `application/x-tensor; dtype=float32; shape=2x784`.

    Raises:
        ArrayError: type or shape is missing, or the body has another length.
    """
    layout = _tensor_layouts.get(content_type)
    if layout is None:
        layout = _kept(_tensor_layouts, content_type, _tensor_layout(content_type))
    return _array(body, layout)


def _tensor_layout(content_type: str) -> _Layout:
    given = {}
    for part in content_type.lower().split(";")[1:]:
        name, _, value = part.partition("=")
        given[name.strip()] = value.strip().strip('"')
    code, shape = _CODES.get(given.get("dtype", "")), given.get("shape", "")
    if code is None or not _SHAPE.fullmatch(shape):
        raise ArrayError(
            "Content-Type must give type and shape, as in application/x-tensor; dtype=float32; shape=2x784. "
            "Types are " + ", ".join(_CODES) + "."
        )
    return _layout(code, False, tuple(int(each) for each in shape.split("x")))


def _layout(code: str, fortran: bool, shape: Tuple[int, ...]) -> _Layout:
    import numpy

    if len(shape) > _MAX_DIMENSIONS:
        raise ArrayError("The array has more than 32 dimensions.")
    return numpy.dtype(code), fortran, shape


def _kept(layouts: Dict[Any, _Layout], key: Any, layout: _Layout) -> _Layout:
    """Remember a layout: clients repeat the same few."""
    if len(layouts) >= _MAX_KEPT:
        layouts.clear()
    layouts[key] = layout
    return layout


def _array(data: "memoryview", layout: _Layout) -> Any:
    import numpy

    dtype, fortran, shape = layout
    count = 1
    for length in shape:
        count *= length
    size = count * dtype.itemsize
    if size != len(data):
        text = "x".join(str(length) for length in shape) or "one"
        raise ArrayError(f"An array of {text} {dtype} has {size} bytes, but the body has {len(data)}.")
    if not size:
        raise ArrayError("The array is empty.")
    # NumPy cannot handle bools whose byte is neither 0 nor 1.
    array = numpy.frombuffer(data, dtype) if dtype.kind != "b" else numpy.frombuffer(data, "u1") != 0
    return array.reshape(shape[::-1]).transpose() if fortran else array.reshape(shape)


def write_npy(array: Any) -> bytes:
    """Return a numeric array as an .npy file, as `numpy.save` writes it."""
    array = _contiguous(array)
    header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': {array.shape}, }}"
    padding = -(len(_MAGIC) + 4 + len(header) + 1) % _ALIGNMENT
    text = (header + " " * padding + "\n").encode("latin-1")
    return b"".join((_MAGIC, b"\x01\x00", _PREFIXES[1].pack(len(text)), text, array.tobytes()))


def write_tensor(array: Any) -> Tuple[bytes, str]:
    """Return the numbers of a numeric array, and the Content-Type with its type and shape."""
    array = _contiguous(array)
    shape = "x".join(str(length) for length in array.shape)
    return array.tobytes(), f"{TENSOR}; dtype={array.dtype.name}; shape={shape}"


def is_numeric(array: Any) -> bool:
    """Return whether both binary media types support the array's type."""
    return array.ndim > 0 and array.dtype.name in _CODES


def _contiguous(array: Any) -> Any:
    import numpy

    return numpy.ascontiguousarray(array, array.dtype.newbyteorder("<"))
