"""From the text of a setting to its value; ValueError tells, as half a sentence, what the text must be."""

import json
import re
from collections.abc import Callable
from typing import Literal

FrontEnd = Literal["azureml", "none"]
LogFormat = Literal["text", "json"]

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ToleratedError(ValueError):
    """A value that v1's server started with and took no notice of: the default is used instead."""


def whole_number(
    minimum: int, maximum: int | None = None, *, tolerates: Callable[[int], bool] = lambda _: False
) -> Callable[[str], int]:
    """Return what reads a whole number within limits.

    Args:
        minimum: the smallest.
        maximum: the largest; None for no limit.
        tolerates: tells of a number outside these limits whether v1's server started with it.
    """
    limits = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"

    def parse(value: str) -> int:
        try:
            # v1's server took 60000.0 as well, as other programs write a whole number.
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
    """Return a port; None for 0, by which v1's server meant that there is no debugger."""
    return PORT(value) if value.strip() != "0" else None


def one_of(*choices: str) -> Callable[[str], str]:
    """Return what reads one of several words, whether they are in capital letters or not."""

    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return value.lower()

    return parse


def seconds(value: str) -> float:
    """Return a finite number of seconds."""
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
    """Return a URL of a server."""
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError("must be an http:// or https:// URL")
    return value


def https_url(value: str) -> str:
    """Return a URL of a server that proves who it is."""
    # Whoever can change what comes from there can make tokens.
    if not re.fullmatch(r"https://[^/\s]+(/\S*)?", value):
        raise ValueError("must be a URL that begins with https://")
    return value


def switch(value: str) -> bool:
    """Return whether something is on; nothing but true and false is taken."""
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def is_true(value: str) -> bool:
    """Return whether something is on as v1's server read it: whatever is not true is false."""
    return value.lower() == "true"


def telemetry_switch(value: str) -> bool:
    """Return whether telemetry is on; v1's server took any other word for false."""
    try:
        return switch(value)
    except ValueError as error:
        raise ToleratedError(str(error)) from None


def texts(value: str) -> tuple[str, ...]:
    """Return the texts of a JSON list."""
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(text, str) and text for text in found):
        raise ValueError('must be a JSON list of at least one text, as ["one", "two"]')
    return tuple(found)


def comma_separated(value: str) -> tuple[str, ...]:
    """Return the parts between commas, without the space around them."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def folder_name(value: str) -> str:
    """Return a folder's path without a slash at its end: scripts take it apart at its slashes."""
    return value.rstrip("/") or "/"


def log_level(value: str) -> str:
    """Return the name of one of logging's levels; v1's server never looked at it."""
    if value.upper() not in _LOG_LEVELS:
        raise ToleratedError(f"must be one of {', '.join(_LOG_LEVELS)}")
    return value.upper()


def log_format(value: str) -> LogFormat:
    """Return how log lines are written."""
    if value == "text":
        return "text"
    if value == "json":
        return "json"
    raise ValueError("must be text or json")


def front_end(value: str) -> FrontEnd:
    """Return whose answers clients get."""
    if value == "azureml":
        return "azureml"
    if value == "none":
        return "none"
    raise ValueError("must be azureml or none")
