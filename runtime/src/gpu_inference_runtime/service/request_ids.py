"""The ids that travel with a request: which headers of the request become which of the answer."""

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gpu_inference_runtime import __version__
from gpu_inference_runtime.messages import Answer, Request, error_answer
from gpu_inference_runtime.observability.logs import request_id_of_log_lines

LONGEST_ID = 100
SERVER_VERSION = ("x-ms-server-version", f"gpu-inference/{__version__}")

# The answer has the server's, whatever the script sets.
_OWN = frozenset({"x-request-id", "x-ms-request-id", "x-ms-client-request-id"})

log = logging.getLogger("gpu_inference")


@dataclass(frozen=True)
class RequestIds:
    """The ids of one request; empty where the answer carries none."""

    request_id: str = ""
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


class IdTooLongError(Exception):
    """An id of the request is longer than is echoed; the text says which.

    Args:
        message: for the client.
        ids: those that the answer may still carry.
    """

    def __init__(self, message: str, ids: RequestIds) -> None:
        super().__init__(message)
        self.ids = ids


def request_ids(headers: Mapping[str, str]) -> RequestIds:
    """Return the ids for the answer to a request with these headers (names in lower case).

    A service's clients once sent `x-ms-request-id` as their own id: it then stands in for both.

    Raises:
        IdTooLongError: an id has more than 100 characters.
    """
    known = RequestIds(trace_id=headers.get("traceid", ""))
    request_id = headers.get("x-request-id") or str(uuid.uuid4())
    if len(request_id) > LONGEST_ID:
        raise IdTooLongError(f"x-request-id must not exceed {LONGEST_ID} characters", known)
    known = replace(known, request_id=request_id)
    legacy_id = headers.get("x-ms-request-id", "")
    client_id = headers.get("x-ms-client-request-id", "")
    if max(len(legacy_id), len(client_id)) > LONGEST_ID:
        raise IdTooLongError(
            f"x-ms-request-id and x-ms-client-request-id must not exceed {LONGEST_ID} characters", known
        )
    return replace(
        known, ms_request_id=legacy_id or client_id or request_id, client_request_id=client_id or legacy_id
    )


def answer_with_ids(
    request: Request, sends_server_version: bool, make: Callable[[RequestIds], Answer]
) -> Answer:
    """Return what `make` answers, with the ids and the server's version; 431 where an id is too long.

    Log lines that `make` writes carry the request's id.
    """
    try:
        ids = request_ids(request.headers)
    except IdTooLongError as error:
        ids = error.ids
        answer = error_answer(431, str(error))
    else:
        with request_id_of_log_lines(ids.request_id):
            if request.headers.get("x-ms-request-id"):
                log.warning(
                    "The request's header x-ms-request-id is deprecated: send x-ms-client-request-id instead."
                )
            answer = make(ids)
    version = [SERVER_VERSION] if sends_server_version else []
    others = [(name, value) for name, value in answer.headers if name.lower() not in _OWN]
    return replace(answer, headers=(*others, *ids.headers(), *version))
