"""HTTP responses as the server's layers exchange them, without any HTTP library."""

import json
from typing import Any, Iterator, Optional, Tuple, Union

RUN_FAILED = "x-ms-run-function-failed"

Header = Tuple[str, str]


class Response:
    """A response.

    Args:
        status: the status code.
        body: the whole body, or its parts for a streamed response.
        headers: names and values; a name may be repeated.
        content_type: None for no such header.
        close: whether to close the connection after the response.
        reason: the reason phrase; None for the standard one.
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

    def replace(self, **changes: Any) -> "Response":
        """Return a copy with changed attributes."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values.update(changes)
        return Response(**values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Response):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Response({values})"


def json_response(status: int, content: Any, *headers: Header, close: bool = False) -> Response:
    """Return a response with a JSON body.

    Raises:
        Exception: whatever `json.dumps` raises for content that has no JSON form.
    """
    return Response(status, json.dumps(content).encode(), headers, close=close)


def error_response(
    status: int, message: str, *headers: Header, run_failed: bool = False, close: bool = False
) -> Response:
    """Return an error response: a JSON object with a `message`."""
    return json_response(status, {"message": message}, (RUN_FAILED, str(run_failed)), *headers, close=close)
