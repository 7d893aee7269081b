"""Finds the rows in a JSON text of the form {"data": [row, row, …]} without parsing their numbers.

The rows of several requests can then be joined to one text of the same form. A text that may not have this
form is not split.
"""

import functools
import json
import re
from typing import Any, Iterable, Optional, Tuple

_SPACE = " \t\r\n"
_HEAD = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*("[^"\\\x00-\x1f]*")[ \t\r\n]*:[ \t\r\n]*\[')
_NUMBERS = b"0123456789+-.eE \t\r\n"
_INNERMOST = re.compile(rb"\[[^\[\]]*\]")
_MAX_DEPTH = 32
_MAX_KEPT = 16384
# For shorter rows, checking the whole structure is cheaper than checking each row.
_LONG_ROW = 200


class Rows:
    """The rows of one request.

    Args:
        key: name of the object's only member, as written, with its quotation marks.
        text: the rows without the brackets around them.
        count: the number of rows.
        kind: equal for rows that one array or table can hold without changing any types.
    """

    __slots__ = ("count", "key", "kind", "text")

    def __init__(self, key: str, text: str, count: int, kind: Any) -> None:
        self.key = key
        self.text = text
        self.count = count
        self.kind = kind


def find_rows(body: str, with_lengths: bool) -> Optional[Rows]:
    """Return the rows of a body; None if it does not have the form.

    Args:
        body: the request's body.
        with_lengths: whether `kind` distinguishes lists of different lengths, which costs more.
    """
    head = _HEAD.match(body)
    if head is None:
        return None
    end = _end(body)
    text = body[head.end() : end]
    if end < head.end() or not text.strip(_SPACE):
        return None
    # Brackets and commas may be inside strings. Scripts that parse Python literals also know ' and #.
    if '"' in text or "{" in text or "'" in text or "#" in text:
        found = _parsed(text, with_lengths)
    else:
        found = _plain(text, with_lengths)
    return None if found is None else Rows(head.group(1), text, *found)


def join_rows(rows: "Iterable[Rows]") -> str:
    """Return one body with the rows of several requests; all must have the same key."""
    rows = list(rows)
    # Join once: each further copy of a large text would cost more than finding its rows.
    parts = ["{", rows[0].key, ": [", rows[0].text]
    for each in rows[1:]:
        parts += (", ", each.text)
    parts.append("]}")
    return "".join(parts)


def _end(body: str) -> int:
    """Return the position of the bracket before the last brace; -1 if the text does not end with both."""
    end = len(body)
    for closing in "}]":
        while end and body[end - 1] in _SPACE:
            end -= 1
        end -= 1
        if end < 0 or body[end] != closing:
            return -1
    return end


def _plain(text: str, with_lengths: bool) -> Optional[Tuple[int, Any]]:
    """Return count and kind of rows that contain no strings and no objects."""
    # numpy distinguishes 1 and 1.0, and pandas a column with null from one without.
    whole = not ("." in text or "e" in text or "E" in text)
    kind = (whole, "u" in text, "l" in text)
    if not with_lengths:
        count = _long_lists(text)
        if count is not None:
            return count, kind
    # This is many times as fast with bytes as with text.
    structure = text.encode("utf-8").translate(None, _NUMBERS)
    count = _elements(structure) if len(structure) > _MAX_KEPT else _known_elements(structure)
    if count is None:
        return None
    if not with_lengths:
        return count, kind
    row = structure[: (len(structure) + 1) // count - 1]
    return count, (kind, row if structure == b",".join([row] * count) else structure)


def _long_lists(text: str) -> Optional[int]:
    """Return the number of rows if all are long lists of numbers; else None."""
    count, position = 0, 0
    while True:
        begin = text.find("[", position)
        if begin < 0:
            return count if count and not text[position:].strip(_SPACE) else None
        if text[position:begin].strip(_SPACE) != ("," if count else ""):
            return None
        end = text.find("]", begin)
        if end - begin < _LONG_ROW or text.find("[", begin + 1, end) >= 0:
            return None
        count, position = count + 1, end + 1


def _elements(structure: bytes) -> Optional[int]:
    """Return the number of elements; None if the brackets do not match."""
    for _ in range(_MAX_DEPTH):
        if b"[" not in structure:
            break
        structure = _INNERMOST.sub(b"", structure)
    return None if b"[" in structure or b"]" in structure else structure.count(b",") + 1


# Clients repeat the same few structures.
_known_elements = functools.lru_cache(maxsize=64)(_elements)


def _parsed(text: str, with_lengths: bool) -> Optional[Tuple[int, Any]]:
    try:
        rows = json.loads("[" + text + "]")
        return len(rows), frozenset([_kind(row, with_lengths) for row in rows])
    except (ValueError, RecursionError):
        return None


def _kind(value: Any, with_lengths: bool) -> Any:
    if type(value) is list:
        kinds = frozenset([_kind(each, with_lengths) for each in value])
        return (len(value), kinds) if with_lengths else kinds
    if type(value) is dict:
        return tuple(sorted((name, _kind(each, with_lengths)) for name, each in value.items()))
    return type(value)
