"""What lets web pages of other origins read the answers: the headers of CORS, as flask-cors makes them."""

import re
from collections.abc import Mapping
from functools import lru_cache

_METHODS = "GET, POST"
# An origin with one of these is a regular expression.
_OF_EXPRESSIONS = frozenset("*\\]?$^[]()")
_ANY = ".*"

Origin = str | re.Pattern[str]


def headers(
    origins: tuple[str, ...], request_headers: Mapping[bytes, bytes], method: bytes
) -> list[tuple[str, str]]:
    """Return the headers for an answer. One that has an `Access-Control-Allow-Origin` already gets none.

    Args:
        origins: those that are let in: `*` for all, or names, or regular expressions.
        request_headers: with names in lower case.
        method: HTTP's.
    """
    known = _compiled(origins)
    sent = _value(request_headers, b"origin")
    allowed = _allowed(known, sent)
    if not allowed:
        return []
    pairs = [("Access-Control-Allow-Origin", allowed)]
    if _value(request_headers, b"access-control-request-private-network") == "true":
        pairs.append(("Access-Control-Allow-Private-Network", "false"))
    if method == b"OPTIONS":
        wanted = _value(request_headers, b"access-control-request-method").upper()
        # A part of the text is enough for flask-cors.
        if wanted and wanted in _METHODS:
            names = _value(request_headers, b"access-control-request-headers")
            if listed := names and ", ".join(sorted(name.strip() for name in names.split(","))):
                pairs.append(("Access-Control-Allow-Headers", listed))
            pairs.append(("Access-Control-Allow-Methods", _METHODS))
    if allowed != "*" and (len(known) > 1 or isinstance(known[0], re.Pattern)):
        pairs.append(("Vary", "Origin"))
    return pairs


def _value(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").strip(b" \t").decode("latin-1")


def _allowed(known: tuple[Origin, ...], sent: str) -> str:
    """Return the origin that the answer names; empty where it names none."""
    if sent:
        return sent if any(_matches(origin, sent) for origin in known) else ""
    if any(isinstance(origin, re.Pattern) and origin.pattern == _ANY for origin in known):
        return "*"
    return min((origin for origin in known if isinstance(origin, str)), default="")


def _matches(origin: Origin, sent: str) -> bool:
    if isinstance(origin, re.Pattern):
        return origin.match(sent) is not None
    return origin.casefold() == sent.casefold()


@lru_cache(maxsize=4)
def _compiled(origins: tuple[str, ...]) -> tuple[Origin, ...]:
    texts = [_ANY if origin == "*" else origin for origin in origins]
    return tuple(
        text if _OF_EXPRESSIONS.isdisjoint(text) else re.compile(text, re.IGNORECASE) for text in texts
    )
