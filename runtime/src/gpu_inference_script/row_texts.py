"""Finds the rows in a JSON text of the form {"data": [row, row, …]} without reading their numbers.

The rows of several requests can then be put into one text of the same form. What is not certainly of this
form is left alone.
"""

import functools
import json
import re
from typing import Any, Iterable, Optional, Tuple

_SPACE = " \t\r\n"
_HEAD = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*("[^"\\\x00-\x1f]*")[ \t\r\n]*:[ \t\r\n]*\[')
_NUMBERS = b"0123456789+-.eE \t\r\n"
_INNERMOST = re.compile(rb"\[[^\[\]]*\]")
_DEEPEST = 32
_LONGEST_KEPT = 16384
# Of shorter rows it costs less to look at the whole structure than at each row.
_LONG_ROW = 200


class Rows:
    """The rows of one request.

    Args:
        key: the object's only member, as it is written, with its quotation marks.
        text: the rows without the brackets around them.
        count: how many there are.
        kind: equal for rows that one array or table can hold without changing the type of any.
    """

    __slots__ = ("count", "key", "kind", "text")

    def __init__(self, key: str, text: str, count: int, kind: Any) -> None:
        self.key = key
        self.text = text
        self.count = count
        self.kind = kind


def rows_of(body: str, with_lengths: bool) -> Optional[Rows]:
    """Return the rows of a body; None where it is not of the form.

    Args:
        body: the request's.
        with_lengths: whether `kind` tells lists of different lengths from each other, which costs more.
    """
    head = _HEAD.match(body)
    if head is None:
        return None
    end = _end(body)
    text = body[head.end() : end]
    if end < head.end() or not text.strip(_SPACE):
        return None
    # A bracket or comma may be part of a text. The last two are for scripts that read Python's literals.
    if '"' in text or "{" in text or "'" in text or "#" in text:
        found = _parsed(text, with_lengths)
    else:
        found = _plain(text, with_lengths)
    return None if found is None else Rows(head.group(1), text, *found)


def one_text(rows: "Iterable[Rows]") -> str:
    """Return one body with the rows of all, which have the same key."""
    rows = list(rows)
    # In one piece: of a large text each further copy would cost more than to find its rows.
    parts = ["{", rows[0].key, ": [", rows[0].text]
    for each in rows[1:]:
        parts += (", ", each.text)
    parts.append("]}")
    return "".join(parts)


def _end(body: str) -> int:
    """Return where the bracket is that is followed by the last brace; -1 where it is not so."""
    end = len(body)
    for closing in "}]":
        while end and body[end - 1] in _SPACE:
            end -= 1
        end -= 1
        if end < 0 or body[end] != closing:
            return -1
    return end


def _plain(text: str, with_lengths: bool) -> Optional[Tuple[int, Any]]:
    """Return number and kind of rows that hold no texts and no objects."""
    # 1 and 1.0 are not the same to numpy, nor is a column with null to pandas.
    whole = not ("." in text or "e" in text or "E" in text)
    kind = (whole, "u" in text, "l" in text)
    if not with_lengths:
        count = _long_lists(text)
        if count is not None:
            return count, kind
    # Bytes are many times as fast here as text.
    structure = text.encode("utf-8").translate(None, _NUMBERS)
    count = _elements(structure) if len(structure) > _LONGEST_KEPT else _known_elements(structure)
    if count is None:
        return None
    if not with_lengths:
        return count, kind
    row = structure[: (len(structure) + 1) // count - 1]
    return count, (kind, row if structure == b",".join([row] * count) else structure)


def _long_lists(text: str) -> Optional[int]:
    """Return the number of rows that are lists of more than a few numbers; None where some are not."""
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
    """Return the number of elements, where the brackets match."""
    for _ in range(_DEEPEST):
        if b"[" not in structure:
            break
        structure = _INNERMOST.sub(b"", structure)
    return None if b"[" in structure or b"]" in structure else structure.count(b",") + 1


# Clients send the same few structures over and over.
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
