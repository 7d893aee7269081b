import itertools
import json
import re
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.array_requests import PARSERS, post, read, refusal
from tests.runtime.json_corpus import NO_NUMBERS, NUMBERS, TEXTS

from gpu_inference_script.arrays import ArrayReader
from gpu_inference_script.inputs import InputError


@pytest.fixture(params=PARSERS)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The parser that is used, because those before it are not installed."""
    for missing in PARSERS[: PARSERS.index(request.param)]:
        monkeypatch.setitem(sys.modules, missing, None)
    return str(request.param)


# JSON for run(array)


def pure(body: bytes, dtype: str) -> Any:
    """What Python's own parser and NumPy make of it."""
    rows = json.loads(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(rows["data"] if isinstance(rows, dict) else rows, dtype)


@pytest.mark.usefixtures("_parser")
def test_each_number_is_read_to_the_last_bit() -> None:
    for dtype, number in itertools.product(["float32", "float64"], NUMBERS):
        for body in (f"[[{number}]]", f'{{"data": [[1, {number}], [{number}, 0.5]]}}', f"[[[ {number} ]]]"):
            if number == "1" * 5000:
                assert re.search("too large|not JSON", refusal(body.encode(), dtype)), body[:80]
                continue
            found, wanted = read(body.encode(), dtype), pure(body.encode(), dtype)
            assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), (dtype, body)
            assert found.tobytes() == wanted.tobytes(), (dtype, body)


@pytest.mark.usefixtures("_parser")
def test_what_is_no_number_is_refused() -> None:
    for number in NO_NUMBERS:
        assert "not JSON" in refusal(f"[[1, {number}]]".encode()), number
        assert "not JSON" in refusal(f'{{"data": [[{number}]]}}'.encode()), number


@pytest.mark.usefixtures("_parser")
def test_a_text_that_is_no_list_of_rows_is_refused() -> None:
    for text in [text for text in TEXTS if "[ 1 ," not in text]:
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
def test_each_shape_is_found() -> None:
    for shape, separators in itertools.product(SHAPES, [(",", ":"), (", ", ": "), (" ,\n\t", " :\r\n ")]):
        array = np.random.default_rng(7).random(shape)
        for content in (array.tolist(), {"data": array.tolist()}, {'a"[{ 1': array.tolist()}):
            found = read(json.dumps(content, separators=separators).encode(), "float64")
            np.testing.assert_array_equal(found, array, strict=True)


UNEVEN_ROWS = [
    "[1, 2], [3]",
    "[1, 2], 3, [4]",
    "1, [2, 3]",
    "[[1, 2], []], [[], [1, 2]]",
    "[1, [2]], [3, 4]",
    "[[1, 2]], [3, 4]",
    "[[1], [2]], [[3, 4], []]",
    "[[1, 2], [3]], [[4], [5, 6]]",
    "[], [1, 2]",
]


@pytest.mark.usefixtures("_parser")
def test_rows_of_different_shapes_are_refused() -> None:
    for rows, wide in itertools.product(UNEVEN_ROWS, [1, 500]):
        # The long ones are looked at in another way.
        body = f"[{rows}]".replace("2", ", ".join(["2"] * wide))
        reason = refusal(body.encode())
        assert reason == "All rows of a request must have the same shape.", (rows, wide)


@pytest.mark.usefixtures("_parser")
def test_what_numpy_would_take_for_a_number_is_refused() -> None:
    items = ["true", "null", '"1.5"', "false", "{}", '{"a": 1}', '""', "1, true", "null, 1.5", '[1], "a"']
    for item in items:
        assert refusal(f'{{"data": [[{item}]]}}'.encode()) in (
            "The rows must hold only numbers.",
            "All rows of a request must have the same shape.",
        ), item


OTHER_FORMS = [
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
]


@pytest.mark.usefixtures("_parser")
def test_a_body_of_another_form_is_refused() -> None:
    for body, reason in OTHER_FORMS:
        assert reason in refusal(body), body[:80]


@pytest.mark.usefixtures("_parser")
def test_of_a_member_that_comes_twice_the_last_one_counts() -> None:
    assert read(b'{"data": [[1]], "data": [[2]]}').tolist() == [[2]]


@pytest.mark.usefixtures("_parser")
def test_integers_are_exact() -> None:
    for dtype, numbers, wanted in [
        ("uint8", "0, 255, 1e2, 7.0, -0", [0, 255, 100, 7, 0]),
        ("int32", "-2147483648, 2147483647, -0.0", [-(2**31), 2**31 - 1, 0]),
        (
            "int64",
            "-9223372036854775808, 9223372036854775807, 9007199254740993",
            [-(2**63), 2**63 - 1, 2**53 + 1],
        ),
        ("int64", "9007199254740991.0, -9007199254740991, 3", [2**53 - 1, 1 - 2**53, 3]),
    ]:
        found = read(f"[[{numbers}]]".encode(), dtype)
        assert (found.dtype, found.tolist()) == (np.dtype(dtype), [wanted]), (dtype, numbers, wanted)


@pytest.mark.usefixtures("_parser")
def test_numbers_that_an_integer_type_lacks_are_refused() -> None:
    for dtype, number in [
        *(
            ("uint8", number)
            for number in ("256", "-1", "0.5", "1e400", "NaN", "-Infinity", "18446744073709551616")
        ),
        *(("int32", number) for number in ("2147483648", "-2147483649", "1.5", "4294967296", "1e10")),
        *(("int64", number) for number in ("9223372036854775808", "1e19", "18446744073709551615", "1" * 30)),
        ("int64", "9007199254740993, 1.0"),
    ]:
        limits = np.iinfo(dtype)
        reason = f"run() takes {dtype}: whole numbers from {limits.min} to {limits.max}."
        assert refusal(f"[[{number}]]".encode(), dtype) == reason, (dtype, number)


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
