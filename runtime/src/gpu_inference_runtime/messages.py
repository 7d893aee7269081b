"""Requests and answers as the layers hand them to each other, with no HTTP library in them."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RUN_FAILED = "x-ms-run-function-failed"


class BodyTooLargeError(Exception):
    """The body is larger than the limit."""


class BodyUnreadableError(Exception):
    """The client went away, stalled, or broke the framing before the whole body had come."""


@dataclass(frozen=True)
class Request:
    """One scoring request.

    Args:
        method: in upper case.
        query: parameters in order, with all values of each.
        headers: names in lower case.
        content_length: bytes, None when the client did not say.
        read_body: reads the whole body, once; raises BodyTooLargeError or BodyUnreadableError.
        native: the front end's own request object with this body, for scripts that ask for it (`@rawhttp`).
    """

    method: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    content_length: int | None
    read_body: Callable[[], bytes]
    native: Callable[[bytes], object] = lambda body: body

    @property
    def content_type(self) -> str:
        """The media type, in lower case and without its parameters; empty where the client gave none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
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

    status: int
    body: bytes | Iterator[bytes]
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = "application/json"
    close: bool = False
    reason: str | None = None


def json_answer(status: int, content: Any, *headers: tuple[str, str], close: bool = False) -> Answer:
    """Return an answer with a JSON body.

    Raises:
        Exception: whatever `json.dumps` raises for content that has no JSON form.
    """
    return Answer(status, json.dumps(content).encode(), headers, close=close)


def error_answer(
    status: int, message: str, *headers: tuple[str, str], run_failed: bool = False, close: bool = False
) -> Answer:
    """Return the JSON object with a `message` that every error of a service is."""
    return json_answer(status, {"message": message}, (RUN_FAILED, str(run_failed)), *headers, close=close)
