import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.json_corpus import NO_NUMBERS, NUMBERS, TEXTS

from gpu_inference_script.row_texts import find_rows, join_rows

LONG = [0.5] * 200


ROW_LISTS: list[list[Any]] = [
    [1],
    [1, 2.5, -3e-7],
    [[1, 2], [3, 4]],
    [LONG],
    [LONG] * 7,
    [LONG, 1],
    [1, LONG, [2]],
    [[LONG], [LONG]],
    [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
    [[], [[]], [[[], []]]],
    [None, True, False],
    [[None], [True]],
    ["a"],
    ["], [", "a, b", '"', "\\", "}", "\u20ac\U0001f600", "\n"],
    [{"a": 1, "b": [1, 2, {"c": ["]", "["]}]}, {}],
    [{}],
    [["a,", 1], ["b]", 2]],
    [float("nan"), float("inf"), 1e300],
    [[1.5] * 784] * 3,
    list(range(3000)),
]


def test_rows_are_counted_whatever_they_are() -> None:
    separators = [None, (",", ":"), (" ,\n\t", " :\r ")]
    for rows, with_lengths in itertools.product(ROW_LISTS, [True, False]):
        texts = [json.dumps({"data": rows}, separators=each) for each in separators]
        for text in (*texts, json.dumps({"data": rows}, indent=1)):
            case = text[:80], with_lengths
            read = find_rows(f" \n{text}\r\n\t ", with_lengths)
            assert read is not None, case
            assert read.count == len(rows), case
            assert repr(json.loads("[" + read.text + "]")) == repr(rows), case
            assert repr(json.loads(join_rows([read, read]))) == repr({"data": rows + rows}), case


ROWS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=20,
)


@given(st.lists(st.lists(ROWS, min_size=1, max_size=4), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_one_text_has_the_rows_of_all(several: list[list[Any]], escaped: bool, with_lengths: bool) -> None:
    read = [find_rows(json.dumps({"x": rows}, ensure_ascii=escaped), with_lengths) for rows in several]
    kept = [rows for rows in read if rows is not None]
    assert len(kept) == len(several)
    assert [rows.count for rows in kept] == [len(rows) for rows in several]
    assert repr(json.loads(join_rows(kept))) == repr({"x": [row for rows in several for row in rows]})


OTHER_BODIES = [
    *("", "null", "1", "[1]", '"data"', "{}", "[[1, 2]]", "{", "[", "}", "]}"),
    *('{"data": []}', '{"data": [ \n ]}', '{"data": 1}', '{"data": "[1]"}', '{"data": {"a": [1]}}'),
    *('{"data": [1], "more": [2]}', '{"more": 1, "data": [1]}', '{"data": [1], "data": [2]}'),
    *(
        '{"data": [1]} x',
        '{"data": [1]}}',
        '{"data": [1]]}',
        '{"data": [[1]}',
        '{"data": [1}',
        '{"data": 1]}',
    ),
    *(
        '{"data": ["a]}',
        '{"data": ["a", }',
        '{"data": [{"a": 1]}',
        '{"data": ["a",]}',
        '{"data": ["a" "b"]}',
    ),
    *("{'data': [1]}", "{data: [1]}", '{"da\\u0074a": [1]}', '{"da\nta": [1]}', '\ufeff{"data": [1]}'),
    *('{"data": [1]\x0b}', '\xa0{"data": [1]}', "{\"data\": ['a']}", '{"data": [1 # 2]\n]}'),
    *(
        '{"data": [1], "a": "]}',
        '{"data": [1 "]}',
        '{"data": [[1], [2]}',
        '{"data": [1], [2]]}',
        '{"data": [1]',
    ),
    *('{"data": [1], "b": [2], "c": [3]}', '{"data"; [1]}', '{"data": (1)}'),
    '{"data": ["a", ' + "[" * 100_000 + "]" * 100_000 + "]}",
    '{"data": [' + "[" * 100_000 + "]" * 100_000 + "]}",
]


def test_anything_else_is_left_alone() -> None:
    for body, with_lengths in itertools.product(OTHER_BODIES, [True, False]):
        assert find_rows(body, with_lengths) is None, (body, with_lengths)


def test_what_is_found_is_right_or_no_json_at_all() -> None:
    for text in [text for text in TEXTS + NO_NUMBERS + NUMBERS if "[[[[" not in text]:
        for rows in (text, f"{text}, {text}", f"[{text}]", f"1, {text}", f"[{text}], {json.dumps(LONG)}"):
            body = f'{{"data": [{rows}]}}'
            read = find_rows(body, with_lengths=False)
            try:
                wanted = json.loads(body)
            except ValueError:
                # A number that is none need not be noticed: run() fails then, and each request is scored
                # alone.
                continue
            if list(wanted) == ["data"] and read is not None:
                assert read.count == len(wanted["data"]), text
            elif list(wanted) == ["data"]:
                assert not wanted["data"], text


def test_one_requests_brackets_do_not_reach_into_anothers() -> None:
    for first in ("[1], [2", "1], [2", '"a', '{"a": 1', "[[1]"):
        body = '{"data": [' + first + "]}"
        assert find_rows(body, False) is None
        assert find_rows(body, True) is None


def kind(rows: list[Any], with_lengths: bool = True) -> Any:
    read = find_rows(json.dumps({"data": rows}), with_lengths)
    assert read is not None
    return read.kind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([[1, 2]], [[1.0, 2]]),
        ([[1, 2]], [[1e30, 2]]),
        ([1], [True]),
        ([1.5], [None]),
        ([LONG], [[None, *LONG]]),
        ([{"a": 1}], [{"a": 1.5}]),
        ([{"a": 1}], [{"b": 1}]),
        ([{"a": 1}], [{"a": None}]),
        ([{"a": [1]}], [{"a": ["1"]}]),
        (["a"], [1]),
        (["a"], [None]),
    ],
)
def test_rows_that_would_change_each_others_types_are_of_two_kinds(one: list[Any], other: list[Any]) -> None:
    for with_lengths in (True, False):
        assert kind(one, with_lengths) != kind(other, with_lengths)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([[1, 2]], [[3, 4], [5, 6]]),
        ([[1.5, 2]], [[3e-7, 4]]),
        ([LONG], [LONG, LONG]),
        ([[[1, 2], [3, 4]]], [[[5, 6], [7, 8]]] * 3),
        ([{"a": 1, "b": "x"}], [{"b": "y", "a": 2}] * 2),
        (["a"], ["b", "\u20ac"]),
        ([1], [2, 3]),
    ],
)
def test_rows_alike_are_of_one_kind(one: list[Any], other: list[Any]) -> None:
    for with_lengths in (True, False):
        assert kind(one, with_lengths) == kind(other, with_lengths)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([[1, 2]], [[1, 2, 3]]),
        ([LONG], [[*LONG, 0.5]]),
        ([[1, 2]], [[[1, 2]]]),
        ([[1, 2], [3]], [[1, 2], [3, 4]]),
        ([{"a": [1, 2]}], [{"a": [1, 2, 3]}]),
        ([1], [[1]]),
    ],
)
def test_lengths_are_told_from_each_other_when_asked_for(one: list[Any], other: list[Any]) -> None:
    assert kind(one, with_lengths=True) != kind(other, with_lengths=True)


def test_keys_are_taken_as_they_are_written() -> None:
    for key in ("data", "instances", "\u00e4", "a b", "{[", ""):
        read = find_rows(json.dumps({key: [1]}, ensure_ascii=False), False)
        assert read is not None
        assert join_rows([read]) == json.dumps({key: [1]}, ensure_ascii=False)
