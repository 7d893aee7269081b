import io
import itertools
import struct
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.array_requests import (
    DTYPES,
    NPY,
    TENSOR,
    header,
    npy,
    post,
    refusal,
)

from gpu_inference_script import binary_arrays
from gpu_inference_script.arrays import from_binary
from gpu_inference_script.inputs import InputError
from gpu_inference_script.request import Request

# .npy


def test_every_npy_file_of_numbers_is_read() -> None:
    dtypes = [*DTYPES, ">u2", ">i4", ">i8", ">f2", ">f4", ">f8"]
    shapes: list[tuple[int, ...]] = [(5,), (2, 3), (2, 3, 4), (1, 1)]
    orders: list[Any] = ["C", "F"]
    for case in itertools.product(dtypes, [(1, 0), (2, 0), (3, 0)], orders, shapes):
        dtype, version, order, shape = case
        array = np.asarray(np.arange(np.prod(shape)).reshape(shape) % 7, np.dtype(dtype), order=order)
        found = from_binary(post(npy(array, version), NPY))
        np.testing.assert_array_equal(found, array, str(case), strict=False)
        assert found.dtype == array.dtype.newbyteorder("="), case
        assert found.dtype.isnative, case
        assert found.flags.c_contiguous, case


def test_an_array_stays_as_it_is_when_the_bodys_memory_changes() -> None:
    request = post(npy(np.ones((2, 3), "f4")), NPY)
    found = from_binary(request)
    assert isinstance(request.body, memoryview)
    request.body[:] = bytes(len(request.body))
    assert found.sum() == 6
    found[0, 0] = 5


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n",
        "{'shape': (1, 2), 'fortran_order': False, 'descr': '<f4'}",
        "{'descr':'<f4','fortran_order':False,'shape':(1,2)}            \n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L)}\n",
        "{ 'descr' : '=f4' , 'fortran_order' : False , 'shape' : ( 1 , 2 , ) , }\n",
    ],
)
def test_headers_of_other_writers_are_read(text: str) -> None:
    body = header(text, np.array([1.5, 2.5], "<f4").tobytes())
    with warnings.catch_warnings():
        # NumPy warns of Python 2's long integers.
        warnings.simplefilter("ignore")
        assert np.load(io.BytesIO(body)).tolist() == [[1.5, 2.5]]
    assert from_binary(post(body, NPY)).tolist() == [[1.5, 2.5]]


NO_NPY_FILES = [
    (b"", "not an .npy file"),
    (b"\x93NUMPY", "not an .npy file"),
    (b"\x93NUMPY\x01\x00\x00", "not an .npy file"),
    (b"PK\x03\x04" + bytes(60), "not an .npy file"),
    (header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", version=4), "not an .npy file"),
    (header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}")[:40], "header is longer"),
    (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "header is longer"),
    (header("{" + " " * 20000 + "}"), "header is longer"),
    (header("__import__('os').abort()"), "cannot be read"),
    (
        header("{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': ()}"),
        "cannot be read",
    ),
    (
        header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", bytes(4)),
        "cannot",
    ),
    (header("{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", bytes(12)), "cannot be read"),
    (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", bytes(4)), "cannot be read"),
    (header("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", bytes(4)), "cannot be read"),
    (header("{'descr': '<f4', 'fortran_order': False}", bytes(4)), "something other than numbers"),
    (header("{'descr': '<f4', 'shape': (1,)}", bytes(4)), "something other than numbers"),
    (header("{'fortran_order': False, 'shape': (1,)}", bytes(4)), "something other than numbers: no type"),
    (
        header("{'descr': 'True', 'fortran_order': False, 'shape': (1,)}", bytes(4)),
        "than numbers: 'True'",
    ),
    (npy(np.array(["a"])), "something other than numbers: '<U1'"),
    (npy(np.array([1 + 2j])), "something other than numbers: '<c16'"),
    (npy(np.array(["2026-01-01"], "M8[D]")), "something other than numbers"),
    (npy(np.array([1.5], np.longdouble)), "something other than numbers: '<f16'"),
    (npy(np.zeros(2, "f4,i4")), "structured"),
    (npy(np.ones((2, 3), "f4"))[:-1], "has 24 bytes, but the body has 23"),
    (npy(np.ones((2, 3), "f4")) + b"\0", "has 24 bytes, but the body has 25"),
    (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999999, 9)}"),
        "but the body has 0",
    ),
    (header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 999999999999999999)}"), "is empty"),
    (
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1, " * 40 + ")}", bytes(8)),
        "32 dim",
    ),
]


def test_a_body_that_is_no_npy_file_of_numbers_is_refused() -> None:
    for body, reason in NO_NPY_FILES:
        assert reason in refusal(body, content_type=NPY), (body, reason)


def test_an_array_of_objects_is_refused_and_never_unpickled() -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, ("raise SystemExit",)

    file = io.BytesIO()
    np.save(file, np.array([[Bomb()]], object), allow_pickle=True)
    assert "pickle" in refusal(file.getvalue(), content_type=NPY)


@given(st.binary(max_size=120))
def test_any_bytes_are_an_array_or_a_refusal(tail: bytes) -> None:
    for body in (
        tail,
        b"\x93NUMPY\x01\x00" + tail,
        header("{'descr': " + tail.decode("latin-1")),
        header("", tail),
    ):
        with suppress(InputError):
            from_binary(post(body, NPY))


def test_clients_that_send_ever_new_shapes_fill_no_memory() -> None:
    for length in range(1, 300):
        from_binary(post(npy(np.zeros(length, "u1")), NPY))
        from_binary(post(bytes(length), f"{TENSOR}; dtype=uint8; shape={length}"))
    assert len(binary_arrays._npy_layouts) <= 64
    assert len(binary_arrays._tensor_layouts) <= 64


# application/x-tensor


def test_every_tensor_is_read() -> None:
    for dtype in DTYPES:
        array = (np.arange(12).reshape(3, 4) % 2).astype(dtype)
        content_type = f"{TENSOR}; dtype={array.dtype.name}; shape=3x4"
        found = from_binary(post(array.tobytes(), content_type))
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype, dtype


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-tensor;shape=1x2;dtype=float32",
        'Application/X-Tensor; DType="float32"; Shape="1x2"',
        "application/x-tensor ; dtype = float32 ; shape = 1x2 ; charset=utf-8",
    ],
)
def test_a_tensors_header_may_be_written_in_several_ways(content_type: str) -> None:
    assert from_binary(post(struct.pack("<2f", 1.5, 2.5), content_type)).tolist() == [[1.5, 2.5]]


def test_a_tensor_without_type_or_shape_is_refused() -> None:
    for parameters in [
        *("", "; dtype=float32", "; shape=2", "; dtype=object; shape=2", "; dtype=<f4; shape=2"),
        *("; dtype=float32; shape=" + shape for shape in ("", "2,1", "-2", "2x", "x2", "\u0662", "2 2")),
        "; dtype=complex64; shape=1",
    ]:
        with pytest.raises(
            InputError, match=r"must give type and shape, as in .*; dtype=float32; shape=2x784"
        ):
            from_binary(Request("POST", headers=[("content-type", TENSOR + parameters)], body=bytes(8)))


def test_a_tensor_of_another_length_is_refused() -> None:
    reason = refusal(bytes(23), content_type=f"{TENSOR}; dtype=float32; shape=2x3")
    assert reason == "An array of 2x3 float32 has 24 bytes, but the body has 23."


def test_a_bool_that_is_neither_0_nor_1_is_true() -> None:
    found = from_binary(post(bytes([0, 1, 2, 255]), f"{TENSOR}; dtype=bool; shape=4"))
    assert found.view("u1").tolist() == [0, 1, 1, 1]


def test_a_body_of_another_type_is_no_array() -> None:
    assert from_binary(post(b"[[1]]")) is None
    assert from_binary(post(npy(np.ones(1)), "application/octet-stream")) is None
