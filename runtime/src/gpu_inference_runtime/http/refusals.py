"""Responses to requests that do not reach `run()`, each with the reason it is counted under."""

from gpu_inference_script.response import Response, error_response

# A retry on a new connection may reach another replica; on this connection it would come back here.
_RETRY_SOON = ("Retry-After", "1")


class RefusedError(Exception):
    """A request is refused.

    Args:
        reason: the reason's name in the metrics.
        response: what the client gets.
    """

    def __init__(self, reason: str, response: Response) -> None:
        super().__init__(reason)
        self.reason = reason
        self.response = response


def method_not_allowed() -> RefusedError:
    """Refuse a method that the script does not accept."""
    return RefusedError("method", error_response(405, "Method not allowed"))


def unauthorized(reason: str, why: str) -> RefusedError:
    """Refuse a request without a valid key or token."""
    return RefusedError(reason, error_response(401, why, ("WWW-Authenticate", "Bearer")))


def issuer_unknown() -> RefusedError:
    """Refuse a request whose token cannot be checked: 503, not 401, because the token may be valid."""
    return RefusedError(
        "issuer", error_response(503, "No token can be checked yet.", _RETRY_SOON, close=True)
    )


def not_ready(service_name: str) -> RefusedError:
    """Refuse a request because `init()` has not ended yet."""
    message = f"No ready replicas for service {service_name}."
    return RefusedError("starting", error_response(503, message, _RETRY_SOON, close=True))


def overloaded(service_name: str) -> RefusedError:
    """Refuse a request because the queue is full, or no slot became free in time."""
    message = f"Too many requests for service {service_name} (overloaded)"
    return RefusedError("overloaded", error_response(503, message, _RETRY_SOON, close=True))


def body_too_large(limit: int | None) -> RefusedError:
    """Refuse a body that is larger than the limit, in bytes."""
    message = f"The request's body is larger than the limit of {limit} bytes."
    return RefusedError("size", error_response(413, message, close=True))


def body_incomplete() -> RefusedError:
    """Refuse a body that ends early: the client disconnected, stalled, or broke the framing."""
    message = "The request's body did not arrive completely."
    return RefusedError("body", error_response(400, message, close=True))


def replica_closed() -> Response:
    """Return the response to a call whose process died. It is not counted as a refusal; the text is v1's."""
    return error_response(502, "Replica closed connection before replying", run_failed=True)
