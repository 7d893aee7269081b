"""Makes the script's `json.loads` several times as fast with msgspec, if that is installed.

The values are exactly those of Python's own parser. What msgspec refuses goes to Python's parser, which
either accepts it (NaN, 1e400, half of a surrogate pair) or raises the usual error. msgspec is the fastest
parser whose results always equal Python's: orjson, simdjson's objects and ssrjson turn integers of more than
64 bits into floats or refuse them, and searching the text for such integers costs more than they save.
docs/batching.md has the figures.
"""

import functools
import json
import logging
from typing import Any, Callable, Optional, Tuple, Type

Decode = Callable[[Any], Any]
ParseErrors = Tuple[Type[BaseException], ...]

# msgspec must read these exactly like Python's parser, or it is not used. Older versions may differ.
_TRIALS = (
    "[18446744073709551615, 18446744073709551616, -9223372036854775808, -9223372036854775809]",
    "[123456789012345678901234567890, 0, -0, -0.0, 0e5, 1E5, 1e+5, 1e-5]",
    "[0.1, 0.30000000000000004, 4.9e-324, 2.4703282292062328e-324, 2.2250738585072011e-308]",
    "[9007199254740993.0, 1.7976931348623157e308, 123456789012345678901234567890.5, 1e-400]",
    '[null, true, false, "", "\\u0041\\n\\/\\ud83d\\ude00", "\u00e4\u20ac"]',
    '[{}, [], {"a": 1, "b": {}, "a": [2]}]',
)
_MISSING = "fast_json is on, but the script's Python has no msgspec: json.loads stays as it is"
_DIFFERS = "fast_json is on, but this msgspec reads JSON differently from Python: json.loads stays as it is"
_TEXTS = frozenset({str, bytes, bytearray})

log = logging.getLogger("gpu_inference")


def install() -> bool:
    """Replace `json.loads` and `json.load` with faster functions; return whether that was possible.

    Modules imported later that say `from json import loads` get them too. Calls with keyword arguments
    (`parse_float`, `object_hook`, …) still use Python's parser.
    """
    if hasattr(json.loads, "without_msgspec"):
        return True
    parser = _parser()
    if parser is None:
        log.warning(_MISSING)
        return False
    decode, parse_errors = parser
    if not _reads_as_python(decode, parse_errors):
        log.warning(_DIFFERS)
        return False
    json.loads, json.load = _loads(decode, parse_errors, json.loads), _load(json.load)
    return True


def remove() -> None:
    """Restore Python's own functions."""
    json.loads = getattr(json.loads, "without_msgspec", json.loads)
    json.load = getattr(json.load, "without_msgspec", json.load)


def _parser() -> Optional[Tuple[Decode, ParseErrors]]:
    try:
        from msgspec import MsgspecError
        from msgspec.json import Decoder
    except ImportError:
        return None
    return Decoder().decode, (MsgspecError, ValueError, RecursionError)


def _loads(decode: Decode, parse_errors: ParseErrors, original: Callable[..., Any]) -> Callable[..., Any]:
    def loads(s: Any, **options: Any) -> Any:
        if not options and type(s) in _TEXTS:
            try:
                return decode(s)
            # Python's parser raises the right error. The scoring timeout's exception is not among these.
            except parse_errors:
                pass
        return original(s, **options)

    return _replacement(original, loads)


def _load(original: Callable[..., Any]) -> Callable[..., Any]:
    def load(fp: Any, **options: Any) -> Any:
        return original(fp, **options) if options else json.loads(fp.read())

    return _replacement(original, load)


def _replacement(original: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function the original's name, docstring and signature, so that it can be pickled."""
    functools.update_wrapper(function, original)
    function.without_msgspec = original  # type: ignore[attr-defined]
    return function


def _reads_as_python(decode: Decode, parse_errors: ParseErrors) -> bool:
    try:
        # repr() distinguishes int from float, 0.0 from -0.0, and all floats from each other.
        return all(repr(decode(text)) == repr(json.loads(text)) for text in _TRIALS)
    except parse_errors:
        return False
