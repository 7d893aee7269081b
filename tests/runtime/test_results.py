"""The JSON of what run() returns: v1's where v1 had one, the obvious one where it answered 500."""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import subprocess
import sys
import types
import uuid
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pydantic.v1
import pytest

from gpu_inference_script.results import encode

DAY = datetime.date(2020, 1, 31)
MOMENT = datetime.datetime(2020, 1, 31, 12, 30, tzinfo=datetime.UTC)


class Colour(enum.Enum):
    RED = np.int64(1)


class Level(enum.IntEnum):
    HIGH = 3


class Pair(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Row:
    label: str
    scores: Any


class Prediction(pydantic.BaseModel):
    digit: int
    on: datetime.date


class OldPrediction(pydantic.v1.BaseModel):
    digit: int


@pytest.mark.parametrize(
    "result",
    [
        "abc",
        '{"a": 1}',
        "ü",
        "\ud800",
        1,
        10**400,
        0.1,
        float("nan"),
        float("-inf"),
        True,
        [],
        [7, 2],
        (1, [None]),
        {"a": None, "b": {"c": [1.5]}},
        {0: "int", 2.5: "float", None: "none", True: "bool"},
        np.float64(0.1),
        np.str_("x"),
        Level.HIGH,
        collections.OrderedDict(b=1, a=2),
        Pair(1, "x"),
    ],
    ids=repr,
)
def test_what_json_can_write_is_written_as_json_writes_it(result: Any) -> None:
    assert encode(result) == json.dumps(result).encode()


def test_none_is_an_empty_object() -> None:
    assert encode(None) == b"{}"
    assert encode([None]) == b"[null]"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (np.int64(7), "7"),
        (np.float32(0.5), "0.5"),
        (np.longdouble(0.5), "0.5"),
        (np.bool_(True), "true"),
        (np.float32("nan"), "NaN"),
        (np.arange(4).reshape(2, 2), "[[0, 1], [2, 3]]"),
        (np.array(5), "5"),
        (np.array([1.5], dtype=np.longdouble), "[1.5]"),
        (np.array([{"a": np.int8(1)}, None], dtype=object), '[{"a": 1}, null]'),
        (np.ma.masked_array([1, 2], [False, True]), "[1, null]"),
        (np.array([(1, b"x")], dtype=[("n", "i4"), ("s", "S1")]), '[[1, "x"]]'),
        (np.datetime64("2020-01-31T12:30:00.123456789"), '"2020-01-31T12:30:00.123456789"'),
        (np.array([["2020-01-31"], ["NaT"]], dtype="datetime64[D]"), '[["2020-01-31"], [null]]'),
        (np.timedelta64(1500, "ms"), "1.5"),
        ({"digit": np.int64(7), "probability": [np.float32(0.5)]}, '{"digit": 7, "probability": [0.5]}'),
    ],
    ids=repr,
)
def test_numpy_values_are_what_tolist_makes_of_them(result: Any, text: str) -> None:
    assert encode(result).decode() == text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (
            pd.DataFrame({"a": [1, 2], "b": [0.5, None], 3: [pd.Timestamp("2020-01-31"), pd.NaT]}),
            '[{"a": 1, "b": 0.5, "3": "2020-01-31T00:00:00"}, {"a": 2, "b": null, "3": null}]',
        ),
        (pd.DataFrame({("a", "x"): [1]}), "[{\"('a', 'x')\": 1}]"),
        (pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}), '[{"n": 1}, {"n": null}]'),
        (pd.DataFrame(), "[]"),
        (pd.Series([1.5, None]), "[1.5, null]"),
        (pd.Series(["x", np.int64(1)]), '["x", 1]'),
        (pd.Index([1, 2]), "[1, 2]"),
        (pd.Categorical(["cat", None]), '["cat", null]'),
        ([pd.NA, pd.NaT], "[null, null]"),
        (pd.Timestamp("2020-01-31T12:30"), '"2020-01-31T12:30:00"'),
        (pd.Timedelta("1min"), "60.0"),
        (pd.Period("2020-01"), '"2020-01"'),
        ({"frame": pd.DataFrame({"a": [1]})}, '{"frame": [{"a": 1}]}'),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_dataframe_is_a_list_of_rows_with_null_for_nothing(result: Any, text: str) -> None:
    assert encode(result).decode() == text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (b"text", '"text"'),
        ("ü".encode(), '"\\u00fc"'),
        (bytearray(b"\xff\xfe"), '"//4="'),
        pytest.param(memoryview(b"text"), '"text"', id="memoryview"),
        ({3, 1, 2}, "[1, 2, 3]"),
        pytest.param(frozenset("ba"), '["a", "b"]', id="frozenset"),
        ({np.int64(2), np.int64(1)}, "[1, 2]"),
        (MOMENT, '"2020-01-31T12:30:00+00:00"'),
        (DAY, '"2020-01-31"'),
        (datetime.time(12, 30), '"12:30:00"'),
        (datetime.timedelta(minutes=1), "60.0"),
        (decimal.Decimal("9.99"), "9.99"),
        (decimal.Decimal("12345678901234567890"), "12345678901234567890"),
        (decimal.Decimal("NaN"), "NaN"),
        (Colour.RED, "1"),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (pathlib.PurePosixPath("/a/b"), '"/a/b"'),
        (Row("x", np.zeros(1)), '{"label": "x", "scores": [0.0]}'),
        (Prediction(digit=7, on=DAY), '{"digit": 7, "on": "2020-01-31"}'),
        (OldPrediction(digit=7), '{"digit": 7}'),
        (types.MappingProxyType({"a": DAY}), '{"a": "2020-01-31"}'),
        (collections.deque([1]), "[1]"),
        (range(2), "[0, 1]"),
        (array.array("d", [0.5]), "[0.5]"),
        ({"b": 1, "a": 2}.keys(), '["b", "a"]'),
        ({"b": 1}.values(), "[1]"),
    ],
    ids=repr,
)
def test_values_of_the_standard_library_have_their_obvious_form(result: Any, text: str) -> None:
    assert encode(result).decode() == text


def test_a_set_that_cannot_be_sorted_is_a_list_all_the_same() -> None:
    assert sorted(json.loads(encode({1, "a"})), key=str) == [1, "a"]


def test_keys_of_dictionaries_are_converted_like_values() -> None:
    result = {
        np.int64(1): {DAY: {Colour.RED: 1}},
        b"x": [{uuid.UUID(int=1): 2}],
        "row": Row("x", {np.int8(2): 3}),
    }
    assert json.loads(encode(result)) == {
        "1": {"2020-01-31": {"1": 1}},
        "x": [{"00000000-0000-0000-0000-000000000001": 2}],
        "row": {"label": "x", "scores": {"2": 3}},
    }


class Tensor:
    """As PyTorch's, JAX's and CuPy's."""

    def tolist(self) -> list[Any]:
        return [[0.5], np.float32(1)]


def test_whatever_has_a_tolist_becomes_that_list() -> None:
    assert encode({"tensor": Tensor()}) == b'{"tensor": [[0.5], 1.0]}'


class AnswersToEverything:
    def __getattr__(self, name: str) -> Any:
        return list


def circle() -> Any:
    result: list[Any] = []
    result.append(result)
    return result


def well() -> Any:
    result: list[Any] = []
    for _ in range(100_000):
        result = [result]
    return result


@pytest.mark.parametrize(
    ("result", "error"),
    [
        (object(), TypeError),
        ((each for each in "ab"), TypeError),
        (AnswersToEverything(), TypeError),
        (Row, TypeError),
        (1j, TypeError),
        (np.complex64(1j), TypeError),
        ({("a", 1): 2}, TypeError),
        ({object(): 2}, TypeError),
        ({frozenset(): 2}, TypeError),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError),
        (circle(), ValueError),
        (Row("x", circle()), ValueError),
        (well(), RecursionError),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_has_no_obvious_form_is_refused(result: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode(result)


def test_no_library_is_imported_for_a_result() -> None:
    code = (
        "import sys; from gpu_inference_script.results import encode\n"
        "class A: tolist = lambda self: [1]\n"
        "assert encode({'x': [A(), {2}, b'x']}) == b'{\"x\": [[1], [2], \"x\"]}'\n"
        "assert not {'numpy', 'pandas', 'pydantic', 'torch', 'tensorflow', 'flask'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
