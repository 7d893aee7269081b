"""Where our server is meant to answer otherwise than `azureml-inference-server-http` 1.5.1, and why.

Everything that is not listed here must be the same. What is listed and does not show any more fails a test too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

EVERYWHERE: tuple[tuple[str, str, str], ...] = (
    (
        "Connection: close",
        "Connection: keep-alive",
        "The incumbent ends each connection; ours keeps them, which spares clients a connection a request.",
    ),
)
"""The incumbent's line, ours as a pattern, and the reason."""


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
