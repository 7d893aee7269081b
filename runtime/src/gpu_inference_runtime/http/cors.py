"""CORS: response headers that let pages of other origins read responses, the same as flask-cors sends."""

import re
from collections.abc import Mapping
from functools import lru_cache

_METHODS = "GET, POST"
# An origin with one of these characters is a regular expression.
_OF_EXPRESSIONS = frozenset("*\\]?$^[]()")
_ANY = ".*"

Origin = str | re.Pattern[str]


def headers(
    origins: tuple[str, ...], request_headers: Mapping[bytes, bytes], method: bytes
) -> list[tuple[str, str]]:
    """Return the CORS headers for a response that has no `Access-Control-Allow-Origin` of its own.

    Args:
        origins: the allowed origins: `*` for all, names, or regular expressions.
        request_headers: the request's headers, with lower-case names.
        method: the request's method.

    Example:
        >>> headers(("https://a.example",), {b"origin": b"https://a.example"}, b"GET")
        [('Access-Control-Allow-Origin', 'https://a.example')]
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
        # Substring, not equality: flask-cors compares like this.
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
    """Return the value of `Access-Control-Allow-Origin`; empty for no such header."""
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
