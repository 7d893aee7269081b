"""Where our server is meant to answer otherwise than `azureml-inference-server-http` 1.5.1, and why.

Everything that is not listed here must be the same. What is listed and does not show any more fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Everywhere:
    """A difference that any answer may show.

    Args:
        reason: why it is meant.
        incumbent: its line; empty where it has none.
        ours: our line in its place, a pattern.
    """

    reason: str
    incumbent: str
    ours: str


EVERYWHERE = (
    Everywhere(
        "The incumbent ends each connection; ours keeps them, which spares clients a connection a request.",
        "Connection: close",
        "Connection: keep-alive",
    ),
    Everywhere(
        "The header tells which server answered; the incumbent's name would be a lie.",
        "x-ms-server-version: azmlinfsrv/1.5.1",
        r"x-ms-server-version: gpu-inference/\d+\.\d+\.\d+",
    ),
    Everywhere("HTTP wants 405 to say which methods there are.", "", r"Allow: (GET|HEAD|OPTIONS|POST|, )+"),
)


@dataclass(frozen=True)
class Wanted:
    """A difference of one request's answers.

    Args:
        reason: why it is meant.
        lines: of the incumbent's answer (-) and of ours (+), where they differ.
    """

    reason: str
    lines: tuple[str, ...]


WANTED: Mapping[str, Mapping[str, Wanted]] = {}


@dataclass(frozen=True)
class WantedStart:
    """A difference of how a start ends.

    Args:
        reason: why it is meant.
        exits: exit status of the incumbent and of ours; "serves" where there is none.
    """

    reason: str
    exits: tuple[int | str, int | str]


STARTS: Mapping[str, WantedStart] = {}
