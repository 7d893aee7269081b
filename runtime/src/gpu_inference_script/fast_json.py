"""Makes the script's `json.loads` several times as fast, by msgspec where that is installed.

The values are those of Python's own parser, to the last bit. Whatever msgspec refuses goes to Python's own
parser, which either takes it (NaN, 1e400, half of a surrogate pair) or raises the error that everybody knows.
msgspec is the fastest of the parsers whose every answer is Python's: orjson, simdjson's objects and ssrjson
turn integers of more than 64 bits into floats or refuse them, and a look at the text for such integers costs
more than they save. docs/batching.md has the figures.
"""

import functools
import json
import logging
from typing import Any, Callable, Optional, Tuple, Type

Decode = Callable[[Any], Any]
Refusals = Tuple[Type[BaseException], ...]

# What must come out exactly as Python's own parser reads it, or not at all. An older msgspec may differ.
_TRIALS = (
    "[18446744073709551615, 18446744073709551616, -9223372036854775808, -9223372036854775809]",
    "[123456789012345678901234567890, 0, -0, -0.0, 0e5, 1E5, 1e+5, 1e-5]",
    "[0.1, 0.30000000000000004, 4.9e-324, 2.4703282292062328e-324, 2.2250738585072011e-308]",
    "[9007199254740993.0, 1.7976931348623157e308, 123456789012345678901234567890.5, 1e-400]",
    '[null, true, false, "", "\\u0041\\n\\/\\ud83d\\ude00", "\u00e4\u20ac"]',
    '[{}, [], {"a": 1, "b": {}, "a": [2]}]',
)
_UNKNOWN = "fast_json is on, but the script's Python has no msgspec: json.loads stays as it is"
_DIFFERS = "fast_json is on, but this msgspec does not read as Python does: json.loads stays as it is"
_TEXTS = frozenset({str, bytes, bytearray})

log = logging.getLogger("gpu_inference")


def install() -> bool:
    """Put faster functions in the place of `json.loads` and `json.load`; return whether that was possible.

    Modules that are imported later and say `from json import loads` get them too. Calls with keyword
    arguments (`parse_float`, `object_hook`, …) are Python's own.
    """
    if hasattr(json.loads, "without_msgspec"):
        return True
    parser = _parser()
    if parser is None:
        log.warning(_UNKNOWN)
        return False
    decode, refusals = parser
    if not _reads_as_python(decode, refusals):
        log.warning(_DIFFERS)
        return False
    json.loads, json.load = _loads(decode, refusals, json.loads), _load(json.load)
    return True


def remove() -> None:
    """Put Python's own functions back."""
    json.loads = getattr(json.loads, "without_msgspec", json.loads)
    json.load = getattr(json.load, "without_msgspec", json.load)


def _parser() -> Optional[Tuple[Decode, Refusals]]:
    try:
        from msgspec import MsgspecError
        from msgspec.json import Decoder
    except ImportError:
        return None
    return Decoder().decode, (MsgspecError, ValueError, RecursionError)


def _loads(decode: Decode, refusals: Refusals, original: Callable[..., Any]) -> Callable[..., Any]:
    def loads(s: Any, **options: Any) -> Any:
        if not options and type(s) in _TEXTS:
            try:
                return decode(s)
            # What there is to say, Python's own parser says. The scoring timeout's error is none of these.
            except refusals:
                pass
        return original(s, **options)

    return _in_place_of(original, loads)


def _load(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(fp: Any, **options: Any) -> Any:
        return original(fp, **options) if options else json.loads(fp.read())

    return _in_place_of(original, load)


def _in_place_of(original: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function the original's name, text and signature, so that it pickles and documents like it."""
    functools.update_wrapper(function, original)
    function.without_msgspec = original  # type: ignore[attr-defined]
    return function


def _reads_as_python(decode: Decode, refusals: Refusals) -> bool:
    try:
        # repr() tells an int from a float, 0.0 from -0.0, and each float from every other.
        return all(repr(decode(text)) == repr(json.loads(text)) for text in _TRIALS)
    except refusals:
        return False
