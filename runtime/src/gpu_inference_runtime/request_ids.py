"""The ids that travel with a request: which headers of the request become which of the answer."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_ID = 100


class IdTooLongError(Exception):
    """An id of the request is longer than is echoed; the text says which."""


@dataclass(frozen=True)
class RequestIds:
    """The ids of one request; empty where the answer carries none."""

    request_id: str
    ms_request_id: str = ""
    client_request_id: str = ""
    trace_id: str = ""

    def headers(self) -> list[tuple[str, str]]:
        """Return the answer's headers."""
        pairs = [
            ("x-request-id", self.request_id),
            ("x-ms-request-id", self.ms_request_id),
            ("x-ms-client-request-id", self.client_request_id),
            ("TraceId", self.trace_id),
        ]
        return [(name, value) for name, value in pairs if value]


def request_ids(headers: Mapping[str, str]) -> RequestIds:
    """Return the ids for the answer to a request with these headers (names in lower case).

    A service's clients once sent `x-ms-request-id` as their own id: it then stands in for both.

    Raises:
        IdTooLongError: an id has more than 100 characters.
    """
    request_id = headers.get("x-request-id") or str(uuid.uuid4())
    if len(request_id) > LONGEST_ID:
        raise IdTooLongError(f"x-request-id must not exceed {LONGEST_ID} characters")
    legacy_id = headers.get("x-ms-request-id", "")
    client_id = headers.get("x-ms-client-request-id", "")
    if max(len(legacy_id), len(client_id)) > LONGEST_ID:
        raise IdTooLongError(
            f"x-ms-request-id and x-ms-client-request-id must not exceed {LONGEST_ID} characters"
        )
    return RequestIds(
        request_id=request_id,
        ms_request_id=legacy_id or client_id or request_id,
        client_request_id=client_id or legacy_id,
        trace_id=headers.get("traceid", ""),
    )
