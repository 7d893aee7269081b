"""Parsers from a setting's text to its value. Their ValueError is half a sentence, as in "must be a port"."""

import json
import re
from collections.abc import Callable
from typing import Literal

FrontEnd = Literal["azureml", "none"]
LogFormat = Literal["text", "json"]

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ToleratedError(ValueError):
    """A bad value that v1's server ignored: the default is used instead."""


def whole_number(
    minimum: int, maximum: int | None = None, *, tolerates: Callable[[int], bool] = lambda _: False
) -> Callable[[str], int]:
    """Return a parser of whole numbers within limits.

    Args:
        minimum: the smallest valid number.
        maximum: the largest valid number; None for no limit.
        tolerates: returns whether v1's server started with a number outside these limits.

    Example:
        >>> whole_number(1, 65535)("5001")
        5001
    """
    limits = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"

    def parse(value: str) -> int:
        try:
            # v1's server accepted 60000.0 too: some programs write whole numbers like that.
            number = int(re.sub(r"\.0+\s*$", "", value))
        except ValueError:
            raise ValueError(f"must be a whole number {limits}") from None
        if number < minimum or (maximum is not None and number > maximum):
            kind = ToleratedError if tolerates(number) else ValueError
            raise kind(f"must be a whole number {limits}")
        return number

    return parse


PORT = whole_number(1, 65535)


def debug_port(value: str) -> int | None:
    """Return a port; None for 0, which meant "no debugger" to v1's server."""
    return PORT(value) if value.strip() != "0" else None


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts one of several words, in any case."""

    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return value.lower()

    return parse


def seconds(value: str) -> float:
    """Return a finite number of seconds, at least 0."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError("must be a number of seconds of at least 0")
    return number


def ratio(value: str) -> float:
    """Return a number from 0 to 1."""
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("must be a number from 0 to 1")
    return number


def http_url(value: str) -> str:
    """Return an HTTP or HTTPS URL."""
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError("must be an http:// or https:// URL")
    return value


def https_url(value: str) -> str:
    """Return an HTTPS URL."""
    # Plain HTTP would not do: someone who can change the response can make tokens.
    if not re.fullmatch(r"https://[^/\s]+(/\S*)?", value):
        raise ValueError("must be a URL that begins with https://")
    return value


def strict_bool(value: str) -> bool:
    """Return the value of `true` or `false`, in any case; every other text is an error."""
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def lenient_bool(value: str) -> bool:
    """Return whether the text is `true`, in any case; every other text is false, as for v1's server."""
    return value.lower() == "true"


def tolerant_bool(value: str) -> bool:
    """Return the value of `true` or `false`; any other text is only a warning, as v1's server ignored it."""
    try:
        return strict_bool(value)
    except ValueError as error:
        raise ToleratedError(str(error)) from None


def json_strings(value: str) -> tuple[str, ...]:
    """Return the strings of a JSON list; it must have at least one."""
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(text, str) and text for text in found):
        raise ValueError('must be a JSON list of at least one text, as ["one", "two"]')
    return tuple(found)


def comma_separated(value: str) -> tuple[str, ...]:
    """Return the parts between commas, without surrounding space."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def folder_name(value: str) -> str:
    """Return a folder's path without a trailing slash, because scripts split it at its slashes."""
    return value.rstrip("/") or "/"


def log_level(value: str) -> str:
    """Return the name of a logging level; a bad one is only a warning, as v1's server ignored it."""
    if value.upper() not in _LOG_LEVELS:
        raise ToleratedError(f"must be one of {', '.join(_LOG_LEVELS)}")
    return value.upper()


def log_format(value: str) -> LogFormat:
    """Return the format of log lines."""
    if value == "text":
        return "text"
    if value == "json":
        return "json"
    raise ValueError("must be text or json")


def front_end(value: str) -> FrontEnd:
    """Return whose responses clients get: azureml-fe's, or those of v1's bare server."""
    if value == "azureml":
        return "azureml"
    if value == "none":
        return "none"
    raise ValueError("must be azureml or none")
