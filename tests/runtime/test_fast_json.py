import functools
import inspect
import io
import json
import logging
import pickle
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.json_corpus import NO_NUMBERS, NUMBERS, TEXTS

from gpu_inference_script import fast_json

PLAIN = json.loads


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    assert fast_json.install()
    yield
    fast_json.remove()
    assert json.loads is PLAIN


def outcome(text: "str | bytes | bytearray", loads: object) -> tuple[str, str]:
    assert callable(loads)
    try:
        value = loads(text)
    except RecursionError:
        return "RecursionError", ""
    except ValueError as error:
        return type(error).__name__, str(error)
    # Not ==, for which 0 is 0.0 is -0.0, and NaN is nothing.
    try:
        return "value", repr(value)
    except RecursionError:
        return "value", "deep"


def test_a_text_is_read_or_refused_as_by_python() -> None:
    numbers = NUMBERS + NO_NUMBERS
    for text in [*numbers, *(f"[{number}, {number}]" for number in numbers), *TEXTS]:
        assert outcome(text, json.loads) == outcome(text, PLAIN), text
        if "\ud800" not in text:
            for data in (text.encode(), bytearray(text.encode())):
                assert outcome(data, json.loads) == outcome(data, PLAIN), text


def test_bytes_are_decoded_or_refused_as_by_python() -> None:
    no_utf_8 = [b"\xff", b'"\xff"', b'{"\xff": 1}', b'"\xed\xa0\x80"', b'"\xc0\x80"']
    encodings = ("utf-16", "utf-16-le", "utf-32", "utf-32-be", "latin-1")
    in_others = ['["ä"]'.encode(encoding) for encoding in encodings]
    for body in [*no_utf_8, b"\xef\xbb\xbf[1]", b"[1]\x00", *in_others]:
        assert outcome(body, json.loads) == outcome(body, PLAIN), body


@given(st.floats(), st.integers(0, 40))
def test_every_float_comes_out_to_the_last_bit(number: float, digits: int) -> None:
    for text in (json.dumps(number), f"{number:.{digits}e}", f"{number:.{digits}f}"):
        assert outcome(f"[{text}]", json.loads) == outcome(f"[{text}]", PLAIN)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(
    JSON_VALUES,
    st.booleans(),
    st.integers(0, 200),
    st.sampled_from(["", "x", "]", ",", '"', "1", "e", "\\", "\n"]),
)
def test_values_and_damaged_texts_are_read_or_refused_as_by_python(
    value: object, escaped: bool, at: int, damage: str
) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    for each in (text, text[:at] + damage + text[at:], text[:at] + damage + text[at + 1 :]):
        assert outcome(each, json.loads) == outcome(each, PLAIN)


def test_calls_with_keyword_arguments_are_pythons_own() -> None:
    assert json.loads("[1.5]", parse_float=str) == ["1.5"]
    assert json.loads('{"a": 1}', object_pairs_hook=list) == [("a", 1)]
    assert json.loads("NaN", parse_constant=str.lower) == "nan"
    assert json.load(io.StringIO("[1.5]"), parse_float=str) == ["1.5"]


def test_json_load_is_faster_too() -> None:
    assert json.load(io.StringIO("[1, 18446744073709551616]")) == [1, 2**64]
    assert json.load(io.BytesIO(b'{"a": 1.5}')) == {"a": 1.5}


@pytest.mark.parametrize("value", [None, 1, memoryview(b"1"), ["1"]])
def test_what_is_no_text_fails_as_in_python(value: object) -> None:
    with pytest.raises(TypeError) as ours:
        json.loads(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError) as theirs:
        PLAIN(value)  # type: ignore[arg-type]
    assert str(ours.value) == str(theirs.value)


def test_a_subclass_of_str_is_read() -> None:
    class Text(str):
        __slots__ = ()

    assert json.loads(Text("[1]")) == [1]


def test_an_error_tells_of_no_other_parser() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("[1,")
    assert caught.value.__context__ is None or not isinstance(caught.value.__context__, msgspec.MsgspecError)
    assert (caught.value.doc, caught.value.pos) == ("[1,", 3)


def test_an_interruption_is_not_taken_for_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    fast_json.remove()

    def interrupted(_: object) -> object:
        raise TimeoutError

    monkeypatch.setattr(fast_json, "_reads_as_python", lambda *_: True)
    monkeypatch.setattr(
        msgspec.json, "Decoder", lambda: type("Decoder", (), {"decode": staticmethod(interrupted)})
    )
    fast_json.install()
    with pytest.raises(TimeoutError):
        json.loads("1")


def test_the_functions_look_like_pythons_own() -> None:
    assert (json.loads.__module__, json.loads.__qualname__) == ("json", "loads")
    assert json.loads.__doc__ == PLAIN.__doc__
    assert inspect.signature(json.loads) == inspect.signature(PLAIN)
    assert pickle.loads(pickle.dumps(json.loads)) is json.loads
    assert functools.partial(json.loads, "1")() == 1


def test_modules_that_import_the_function_later_get_it() -> None:
    module = ModuleType("script")
    exec("from json import loads, load", module.__dict__)
    assert (module.loads, module.load) == (json.loads, json.load)
    assert module.loads is not PLAIN


def test_a_second_install_changes_nothing() -> None:
    once = json.loads
    assert fast_json.install()
    assert json.loads is once


def test_without_msgspec_python_parses_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fast_json.remove()
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with caplog.at_level(logging.WARNING, "gpu_inference"):
        assert not fast_json.install()
    assert json.loads is PLAIN
    assert "the script's Python has no msgspec" in caplog.text


@pytest.mark.parametrize("answer", [float, lambda text: PLAIN(text, parse_int=float)])
def test_a_msgspec_that_reads_otherwise_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, answer: Callable[[str], object]
) -> None:
    fast_json.remove()
    monkeypatch.setattr(
        msgspec.json, "Decoder", lambda: type("Decoder", (), {"decode": staticmethod(answer)})
    )
    with caplog.at_level(logging.WARNING, "gpu_inference"):
        assert not fast_json.install()
    assert json.loads is PLAIN
    assert "reads JSON differently from Python" in caplog.text
