"""Answers as the layers hand them to each other, with no HTTP library in them."""

import json
from typing import Any, Iterator, Optional, Tuple, Union

RUN_FAILED = "x-ms-run-function-failed"

Header = Tuple[str, str]


class Answer:
    """What is sent back.

    Args:
        status: HTTP's.
        body: whole, or its parts one after the other, for an answer that begins before it is complete.
        headers: names and values; a name may come twice.
        content_type: None for no such header.
        close: whether the connection ends after it.
        reason: the words after the status, None for HTTP's own.
    """

    __slots__ = ("body", "close", "content_type", "headers", "reason", "status")

    def __init__(
        self,
        status: int,
        body: "Union[bytes, Iterator[bytes]]",
        headers: "Tuple[Header, ...]" = (),
        content_type: "Optional[str]" = "application/json",
        close: bool = False,
        reason: "Optional[str]" = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.content_type = content_type
        self.close = close
        self.reason = reason

    def replace(self, **changes: Any) -> "Answer":
        """Return a copy with other values for the attributes named."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values.update(changes)
        return Answer(**values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Answer):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Answer({values})"


def json_answer(status: int, content: Any, *headers: Header, close: bool = False) -> Answer:
    """Return an answer with a JSON body.

    Raises:
        Exception: whatever `json.dumps` raises for content that has no JSON form.
    """
    return Answer(status, json.dumps(content).encode(), headers, close=close)


def error_answer(
    status: int, message: str, *headers: Header, run_failed: bool = False, close: bool = False
) -> Answer:
    """Return the JSON object with a `message` that every error of a service is."""
    return json_answer(status, {"message": message}, (RUN_FAILED, str(run_failed)), *headers, close=close)
