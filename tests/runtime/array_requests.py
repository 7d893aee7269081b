"""Requests whose bodies are arrays."""

import io
import struct
from typing import Any

import numpy as np
import pytest

from gpu_inference_script.arrays import ArrayReader
from gpu_inference_script.inputs import InputError
from gpu_inference_script.request import Request

NPY = "application/x-npy"
TENSOR = "application/x-tensor"
DTYPES = ["?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"]
PARSERS = ["simdjson", "msgspec", "json"]


class Crossed(Request):
    """As the front hands it over: the head is one piece until somebody asks for more of it."""

    head: bytes


def post(body: bytes, content_type: str = "application/json", *headers: tuple[str, str]) -> Request:
    given = [("Host", "localhost"), ("Content-Type", content_type), *headers]
    request = Crossed("POST", "/score", headers=given, body=memoryview(bytearray(body)))
    lines = ["POST /score HTTP/1.1", *(f"{name}: {value}" for name, value in given), ""]
    request.head = "\r\n".join(lines).encode()
    return request


def npy(array: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=False)
    return file.getvalue()


def header(text: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode("latin-1") + data


def read(body: bytes, dtype: str = "float32", content_type: str = "application/json") -> Any:
    reader = ArrayReader(dtype)
    return reader.joined([reader.rows(post(body, content_type))])


def refusal(body: bytes, dtype: str = "float32", content_type: str = "application/json") -> str:
    with pytest.raises(InputError) as caught:
        read(body, dtype, content_type)
    assert (caught.value.status, caught.value.handled_by_v1) == (400, True)
    return str(caught.value)
