import io
import itertools
import json
import struct
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
from tests.runtime.json_corpus import NO_NUMBERS, NUMBERS, TEXTS

from gpu_inference_script import binary_arrays
from gpu_inference_script.arrays import ArrayReader, accepted, binary_form, from_binary
from gpu_inference_script.inputs import InputError
from gpu_inference_script.numpy_schema import numpy_parameter
from gpu_inference_script.request import Request

NPY = "application/x-npy"
TENSOR = "application/x-tensor"
DTYPES = ["?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"]
PARSERS = ["simdjson", "msgspec", "json"]


@pytest.fixture(params=PARSERS)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The parser that is used, because those before it are not installed."""
    for missing in PARSERS[: PARSERS.index(request.param)]:
        monkeypatch.setitem(sys.modules, missing, None)
    return str(request.param)


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
    assert (caught.value.status, caught.value.foreseen) == (400, True)
    return str(caught.value)


# .npy


@pytest.mark.parametrize("dtype", [*DTYPES, ">u2", ">i4", ">i8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (1, 1)])
def test_every_npy_file_of_numbers_is_read(
    dtype: str, version: tuple[int, int], order: Any, shape: tuple[int, ...]
) -> None:
    array = np.asarray(np.arange(np.prod(shape)).reshape(shape) % 7, np.dtype(dtype), order=order)
    found = from_binary(post(npy(array, version), NPY))
    np.testing.assert_array_equal(found, array, strict=False)
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.flags.c_contiguous


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


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no .npy file"),
        (b"\x93NUMPY", "no .npy file"),
        (b"\x93NUMPY\x01\x00\x00", "no .npy file"),
        (b"PK\x03\x04" + bytes(60), "no .npy file"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", version=4), "no .npy file"),
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
        (header("{'descr': '<f4', 'fortran_order': False}", bytes(4)), "something else than numbers"),
        (header("{'descr': '<f4', 'shape': (1,)}", bytes(4)), "something else than numbers"),
        (header("{'fortran_order': False, 'shape': (1,)}", bytes(4)), "something else than numbers: no type"),
        (
            header("{'descr': 'True', 'fortran_order': False, 'shape': (1,)}", bytes(4)),
            "than numbers: 'True'",
        ),
        (npy(np.array(["a"])), "something else than numbers: '<U1'"),
        (npy(np.array([1 + 2j])), "something else than numbers: '<c16'"),
        (npy(np.array(["2026-01-01"], "M8[D]")), "something else than numbers"),
        (npy(np.array([1.5], np.longdouble)), "something else than numbers: '<f16'"),
        (npy(np.zeros(2, "f4,i4")), "structured"),
        (npy(np.ones((2, 3), "f4"))[:-1], "has 24 bytes, and 23 came"),
        (npy(np.ones((2, 3), "f4")) + b"\0", "has 24 bytes, and 25 came"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999999, 9)}"), "and 0 came"),
        (header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 999999999999999999)}"), "is empty"),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1, " * 40 + ")}", bytes(8)),
            "32 dim",
        ),
    ],
)
def test_a_body_that_is_no_npy_file_of_numbers_is_refused(body: bytes, reason: str) -> None:
    assert reason in refusal(body, content_type=NPY)


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


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_tensor_is_read(dtype: str) -> None:
    array = (np.arange(12).reshape(3, 4) % 2).astype(dtype)
    content_type = f"{TENSOR}; dtype={array.dtype.name}; shape=3x4"
    found = from_binary(post(array.tobytes(), content_type))
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


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


@pytest.mark.parametrize(
    "parameters",
    [
        *("", "; dtype=float32", "; shape=2", "; dtype=object; shape=2", "; dtype=<f4; shape=2"),
        *("; dtype=float32; shape=" + shape for shape in ("", "2,1", "-2", "2x", "x2", "\u0662", "2 2")),
        "; dtype=complex64; shape=1",
    ],
)
def test_a_tensor_without_type_or_shape_is_refused(parameters: str) -> None:
    with pytest.raises(InputError, match=r"must tell type and shape, as in .*; dtype=float32; shape=2x784"):
        from_binary(Request("POST", headers=[("content-type", TENSOR + parameters)], body=bytes(8)))


def test_a_tensor_of_another_length_is_refused() -> None:
    reason = refusal(bytes(23), content_type=f"{TENSOR}; dtype=float32; shape=2x3")
    assert reason == "An array of 2x3 float32 has 24 bytes, and 23 came."


def test_a_bool_that_is_neither_0_nor_1_is_true() -> None:
    found = from_binary(post(bytes([0, 1, 2, 255]), f"{TENSOR}; dtype=bool; shape=4"))
    assert found.view("u1").tolist() == [0, 1, 1, 1]


def test_a_body_of_another_type_is_no_array() -> None:
    assert from_binary(post(b"[[1]]")) is None
    assert from_binary(post(npy(np.ones(1)), "application/octet-stream")) is None


# JSON for run(array)


def pure(body: bytes, dtype: str) -> Any:
    """What Python's own parser and NumPy make of it."""
    rows = json.loads(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(rows["data"] if isinstance(rows, dict) else rows, dtype)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", NUMBERS)
def test_each_number_is_read_to_the_last_bit(number: str, dtype: str) -> None:
    for body in (f"[[{number}]]", f'{{"data": [[1, {number}], [{number}, 0.5]]}}', f"[[[ {number} ]]]"):
        if number == "1" * 5000:
            assert "too large" in refusal(body.encode(), dtype) or "not JSON" in refusal(body.encode(), dtype)
            continue
        found, wanted = read(body.encode(), dtype), pure(body.encode(), dtype)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("number", NO_NUMBERS)
def test_what_is_no_number_is_refused(number: str) -> None:
    assert "not JSON" in refusal(f"[[1, {number}]]".encode())
    assert "not JSON" in refusal(f'{{"data": [[{number}]]}}'.encode())


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("text", [text for text in TEXTS if "[ 1 ," not in text])
def test_a_text_that_is_no_list_of_rows_is_refused(text: str) -> None:
    refusal(text.encode("utf-8", "surrogatepass"))
    refusal(f"[[{text}]]".encode("utf-8", "surrogatepass"))


@given(
    st.lists(
        st.lists(st.floats() | st.integers(-(2**70), 2**70), min_size=3, max_size=3), min_size=1, max_size=5
    ),
    st.sampled_from([None, 1]),
    st.sampled_from(["float32", "float64"]),
)
def test_arrays_are_those_of_numpy(rows: list[list[float]], indent: int | None, dtype: str) -> None:
    for content in (rows, {"data": rows}, {"x": [rows, rows]}, {"[": rows}):
        body = json.dumps(content, indent=indent)
        content = json.loads(body)
        plain = content if isinstance(content, list) else next(iter(content.values()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = np.array(plain, "f8").astype(dtype)
        assert read(body.encode(), dtype).tobytes() == wanted.tobytes()


SHAPES = [(1, 1), (1, 784), (3, 784), (300, 4), (2, 28, 28), (3, 2, 2, 2), (1, 3, 500), (40, 1, 1)]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n ")])
def test_each_shape_is_found(shape: tuple[int, ...], separators: tuple[str, str]) -> None:
    array = np.random.default_rng(7).random(shape)
    for content in (array.tolist(), {"data": array.tolist()}, {'a"[{ 1': array.tolist()}):
        found = read(json.dumps(content, separators=separators).encode(), "float64")
        np.testing.assert_array_equal(found, array, strict=True)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    "rows",
    [
        "[1, 2], [3]",
        "[1, 2], 3, [4]",
        "1, [2, 3]",
        "[[1, 2], []], [[], [1, 2]]",
        "[1, [2]], [3, 4]",
        "[[1, 2]], [3, 4]",
        "[[1], [2]], [[3, 4], []]",
        "[[1, 2], [3]], [[4], [5, 6]]",
        "[], [1, 2]",
    ],
)
@pytest.mark.parametrize("wide", [1, 500])
def test_rows_of_different_shapes_are_refused(rows: str, wide: int) -> None:
    # The long ones are looked at in another way.
    rows = rows.replace("2", ", ".join(["2"] * wide))
    assert refusal(f"[{rows}]".encode()) == "All rows of a request must have the same shape."


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    "item", ["true", "null", '"1.5"', "false", "{}", '{"a": 1}', '""', "1, true", "null, 1.5", '[1], "a"']
)
def test_what_numpy_would_take_for_a_number_is_refused(item: str) -> None:
    assert refusal(f'{{"data": [[{item}]]}}'.encode()) in (
        "The rows must hold numbers alone.",
        "All rows of a request must have the same shape.",
    )


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b'{"data": [[1]]', "not JSON"),
        (b"[[1]] [[2]]", "not JSON"),
        (b"\xef\xbb\xbf[[1]]", "not JSON"),
        (b'\xef\xbb\xbf{"data": [[1]]}', "not JSON"),
        (b"1.5", "must be a list of rows"),
        (b'"[[1]]"', "must be a list of rows"),
        (b"null", "must be a list of rows"),
        (b"{}", "must be a list of rows"),
        (b'{"data": 1}', "must be a list of rows"),
        (b'{"data": {"a": [[1]]}}', "must be a list of rows"),
        (b'{"data": [[1]], "more": [[2]]}', "must be a list of rows"),
        (b"[]", "no rows, or empty ones"),
        (b"[[]]", "no rows, or empty ones"),
        (b'{"data": [[], []]}', "no rows, or empty ones"),
        (b"[1, 2, 3]", "Each row must be a list"),
        (b"[" * 3000 + b"]" * 3000, "nested too deeply"),
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes, reason: str) -> None:
    assert reason in refusal(body)


@pytest.mark.usefixtures("_parser")
def test_of_a_member_that_comes_twice_the_last_one_counts() -> None:
    assert read(b'{"data": [[1]], "data": [[2]]}').tolist() == [[2]]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("dtype", "numbers", "wanted"),
    [
        ("uint8", "0, 255, 1e2, 7.0, -0", [0, 255, 100, 7, 0]),
        ("int32", "-2147483648, 2147483647, -0.0", [-(2**31), 2**31 - 1, 0]),
        (
            "int64",
            "-9223372036854775808, 9223372036854775807, 9007199254740993",
            [-(2**63), 2**63 - 1, 2**53 + 1],
        ),
        ("int64", "9007199254740991.0, -9007199254740991, 3", [2**53 - 1, 1 - 2**53, 3]),
    ],
)
def test_integers_are_exact(dtype: str, numbers: str, wanted: list[int]) -> None:
    found = read(f"[[{numbers}]]".encode(), dtype)
    assert (found.dtype, found.tolist()) == (np.dtype(dtype), [wanted])


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("dtype", "number"),
    [
        *(
            ("uint8", number)
            for number in ("256", "-1", "0.5", "1e400", "NaN", "-Infinity", "18446744073709551616")
        ),
        *(("int32", number) for number in ("2147483648", "-2147483649", "1.5", "4294967296", "1e10")),
        *(("int64", number) for number in ("9223372036854775808", "1e19", "18446744073709551615", "1" * 30)),
        ("int64", "9007199254740993, 1.0"),
    ],
)
def test_numbers_that_an_integer_type_lacks_are_refused(dtype: str, number: str) -> None:
    limits = np.iinfo(dtype)
    reason = f"run() takes {dtype}: whole numbers from {limits.min} to {limits.max}."
    assert refusal(f"[[{number}]]".encode(), dtype) == reason


@pytest.mark.usefixtures("_parser")
def test_what_is_too_large_is_infinity_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(b"[[1e39, -1e39, 1e400]]").tolist() == [[float("inf"), float("-inf"), float("inf")]]


def test_a_parser_keeps_no_large_text() -> None:
    reader = ArrayReader("float32")
    reader.rows(post(b"[[1, 2]]"))
    assert len(reader._json._parsers) == 1
    reader.rows(post(json.dumps([[0.5] * 1_000_000]).encode()))
    assert len(reader._json._parsers) == 0


def test_a_refused_text_leaves_the_parser_usable() -> None:
    reader = ArrayReader("float32")
    for body in (b"[[1, 2]]", b"[[true]]", b"[[1], [1, 2]]", b"[[1", b"{}", b"[[1, 2]]"):
        try:
            reader.rows(post(body))
        except InputError:
            continue
        assert len(reader._json._parsers) == 1
    assert reader._json.numbers(b"[[5]]", None, False).tolist() == [[5]]


# Arrays for run(array)


def test_binary_bodies_become_the_type_that_run_takes() -> None:
    for dtype in [*DTYPES, ">f4", ">i8"]:
        array = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
        for order in "CF":
            body = npy(np.asarray(array, order=order))  # type: ignore[call-overload]
            for wanted in ("float32", "float64", "uint8", "int32", "int64"):
                found = read(body, wanted, NPY)
                assert (found.dtype, found.tolist()) == (np.dtype(wanted), array.tolist())
                assert found.flags.c_contiguous
                assert found.flags.writeable


def test_binary_numbers_that_do_not_fit_are_refused() -> None:
    assert "whole numbers from 0 to 255" in refusal(npy(np.array([[256]])), "uint8", NPY)
    assert "whole numbers from 0 to 255" in refusal(npy(np.array([[0.5]])), "uint8", NPY)
    assert "Each row must be a list" in refusal(npy(np.array([1.5])), "float32", NPY)
    assert "is empty" in refusal(npy(np.zeros((0, 3))), "float32", NPY)


def test_only_post_brings_an_array() -> None:
    with pytest.raises(InputError, match="POST") as caught:
        ArrayReader("float32").rows(Request("GET", "/score?data=[[1]]"))
    assert caught.value.status == 405


# Arrays as answers


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", None),
        ("*/*", None),
        ("application/json", None),
        (NPY, NPY),
        ("APPLICATION/X-NPY", NPY),
        (TENSOR, TENSOR),
        ("application/x-npy, application/json", NPY),
        ("application/json, application/x-npy", None),
        ("*/*, application/x-npy", NPY),
        ("application/*, application/x-tensor", TENSOR),
        ("application/x-npy;q=0.5, application/json;q=0.4", NPY),
        ("application/x-npy;q=0.3, application/json;q=0.4", None),
        ("application/x-npy;q=0", None),
        ("application/x-npy;q=x", None),
        ("application/x-npy;q=0.5, application/x-tensor", TENSOR),
        ("text/html, application/x-npy;q=0.1", NPY),
        ("application/x-npygmy", None),
    ],
)
def test_accept_chooses_the_answers_form(accept: str, wanted: str | None) -> None:
    assert accepted(post(b"", "application/json", ("Accept", accept))) == wanted
    assert accepted(Request("POST", headers=[("accept", accept)])) == wanted


def test_accept_in_two_headers_is_one_list() -> None:
    request = post(b"", "application/json", ("Accept", "application/json;q=0.1"), ("Accept", NPY))
    assert accepted(request) == NPY


def test_without_accept_the_answer_is_json() -> None:
    assert accepted(post(npy(np.ones(1)), NPY)) is None


@pytest.mark.parametrize("dtype", [*DTYPES, ">f4", ">i2"])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 3)])
def test_arrays_come_back_as_they_are(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(6)[: np.prod(shape)].reshape(shape) % 2).astype(dtype)
    body, content_type = binary_form(array, NPY) or (b"", "")
    assert content_type == NPY
    np.testing.assert_array_equal(np.load(io.BytesIO(body), allow_pickle=False), array)
    # The very bytes of numpy.save, for what it writes little endian.
    assert body == npy(array.astype(array.dtype.newbyteorder("<")), (1, 0))
    body, content_type = binary_form(np.asfortranarray(array), TENSOR) or (b"", "")
    name, told = array.dtype.name, "x".join(map(str, shape))
    assert content_type == f"application/x-tensor; dtype={name}; shape={told}"
    assert body == array.astype(array.dtype.newbyteorder("<")).tobytes()
    if array.size:
        np.testing.assert_array_equal(from_binary(post(body, content_type)), array)


@pytest.mark.parametrize(
    "result",
    [[1, 2], None, "a", np.float64(1), np.array(5), np.array(["a"]), np.array([None]), np.array([1j])],
)
def test_what_is_no_array_of_numbers_stays_json(result: object) -> None:
    assert binary_form(result, NPY) is None
    assert binary_form(np.ones(1), None) is None


# Arrays for @input_schema


def _one(data: Any) -> Any:
    return data


def _two(data: Any, more: Any) -> Any:
    return data, more


NUMBER = itertools.count()


def new(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of another name: inference-schema knows them by their names."""
    copy = FunctionType(function.__code__, globals(), f"run_{next(NUMBER)}")
    copy.__qualname__ = copy.__name__
    return copy


def decorated(sample: Any, **options: Any) -> Any:
    described = output_schema(StandardPythonParameterType(1))(new(_one))
    return input_schema("data", NumpyParameterType(sample, **options))(described)


def test_the_parameter_of_a_schema_script_is_found() -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 3), "f4")))
    assert parameter is not None
    assert parameter.name == "data"


NUMPY = NumpyParameterType(np.zeros((1, 3)))


@pytest.mark.parametrize(
    "run",
    [
        _one,
        print,
        input_schema("data", StandardPythonParameterType([1]))(new(_one)),
        input_schema("data", NUMPY)(input_schema("more", NUMPY)(new(_two))),
        input_schema("data", NUMPY)(new(_two)),
        input_schema("other", NUMPY)(new(_one)),
        input_schema("data", NUMPY, convert_to_provided_type=False)(new(_one)),
        input_schema("data", NUMPY, optional=True)(new(_one)),
        input_schema("data", StandardPythonParameterType({"a": NUMPY}))(new(_one)),
    ],
)
def test_scripts_that_take_something_else_have_no_such_parameter(run: Any) -> None:
    assert numpy_parameter(run) is None


SAMPLES = [
    np.zeros((1, 3), dtype) for dtype in ("f2", "f4", "f8", "i1", "u1", "i4", "i8", "u8", "?", "U5", "O")
]


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.dtype.str)
@pytest.mark.parametrize("enforce_column_type", [True, False])
@pytest.mark.parametrize("enforce_shape", [True, False])
def test_json_becomes_the_array_that_the_decorator_makes(
    sample: Any, enforce_column_type: bool, enforce_shape: bool
) -> None:
    run = decorated(sample, enforce_column_type=enforce_column_type, enforce_shape=enforce_shape)
    parameter = numpy_parameter(run)
    assert parameter is not None
    for number in [*NUMBERS[:-3], "true", "null", '"1"', '"a"', "[1]", "{}", "1, 2"]:
        for rows in (f"[[1, 2, {number}]]", f"[[{number}, 0.5, 3], [1, 2, 3]]", f"[{number}]"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    wanted = run(data=json.loads(rows))
                except Exception:
                    wanted = None
                found = parameter.from_json(post(f'{{"data": {rows}}}'.encode()))
            assert (found is None) == (wanted is None), rows
            if wanted is not None:
                assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), rows
                # Bytes tell 0.0 from -0.0; of objects they are addresses.
                same = repr if wanted.dtype.kind == "O" else bytes
                assert same(found) == same(wanted), rows


@pytest.mark.parametrize(
    "request_",
    [
        post(b'{"other": [[1, 2, 3]]}'),
        post(b"[[1, 2, 3]]"),
        post(b"{"),
        post(b'{"data": [[1, 2]]}'),
        post(b'{"data": [[1, 2, 3]]}', "text/plain"),
        Request("GET", "/score?data=[[1,2,3]]"),
    ],
)
def test_what_the_decorator_would_refuse_is_left_to_it(request_: Request) -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 3))))
    assert parameter is not None
    assert parameter.from_json(request_) is None


def test_other_members_are_ignored_and_the_last_of_a_name_counts() -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 2))))
    assert parameter is not None
    assert parameter.from_json(post(b'{"a": 1, "data": [[1, 2]]}')).tolist() == [[1, 2]]
    assert parameter.from_json(post(b'{"data": [[1, 2]], "data": [[3, 4]]}')).tolist() == [[3, 4]]
    assert parameter.from_json(post(b'\xef\xbb\xbf{"data": [[1, 2]]}')).tolist() == [[1, 2]]


def test_binary_bodies_fit_the_sample() -> None:
    parameter = numpy_parameter(decorated(np.zeros((1, 3), "f4")))
    assert parameter is not None
    found = parameter.from_binary(post(npy(np.arange(6.0).reshape(2, 3)), NPY))
    assert (found.dtype, found.tolist()) == (np.dtype("f4"), [[0, 1, 2], [3, 4, 5]])
    assert parameter.from_binary(post(b"[[1, 2, 3]]")) is None
    with pytest.raises(InputError, match=r"^The 'data' parameter takes an array of nx3, and 2x4 came\.$"):
        parameter.from_binary(post(npy(np.zeros((2, 4))), NPY))
    with pytest.raises(InputError, match="nx3, and 3 came"):
        parameter.from_binary(post(npy(np.zeros(3)), NPY))


def test_binary_bodies_that_the_samples_type_lacks_are_refused() -> None:
    integers, texts = (
        numpy_parameter(decorated(np.zeros((1, 1), "u1"))),
        numpy_parameter(decorated(np.array([["a"]]))),
    )
    assert integers is not None
    assert texts is not None
    assert integers.from_binary(post(npy(np.array([[7]])), NPY)).dtype == np.dtype("u1")
    with pytest.raises(InputError, match="whole numbers from 0 to 255"):
        integers.from_binary(post(npy(np.array([[256]])), NPY))
    with pytest.raises(InputError, match=r"takes <U1: send JSON\.$"):
        texts.from_binary(post(npy(np.array([[7]])), NPY))


def test_a_free_schema_takes_any_array() -> None:
    run = decorated(np.zeros((1, 3), "f4"), enforce_column_type=False, enforce_shape=False)
    parameter = numpy_parameter(run)
    assert parameter is not None
    found = parameter.from_binary(post(npy(np.zeros((2, 2), "i2")), NPY))
    assert (found.dtype, found.shape) == (np.dtype("i2"), (2, 2))


def test_a_process_without_numpy_answers_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpy")
    assert binary_form([1.5], NPY) is None
