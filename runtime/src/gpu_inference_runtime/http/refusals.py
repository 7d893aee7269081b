"""The answers to requests that do not get to `run()`, and the reasons under which they are counted."""

from gpu_inference_script.messages import Answer, error_answer

# A new connection may reach another replica; the one that was refused would come back to this one.
_RETRY_SOON = ("Retry-After", "1")


class RefusedError(Exception):
    """Carries the answer to a request that is refused.

    Args:
        reason: its name in the metrics.
        answer: what the client gets.
    """

    def __init__(self, reason: str, answer: Answer) -> None:
        super().__init__(reason)
        self.reason = reason
        self.answer = answer


def method_not_allowed() -> RefusedError:
    """The script does not take this method."""
    return RefusedError("method", error_answer(405, "Method not allowed"))


def unauthorized(reason: str, why: str) -> RefusedError:
    """The request has no right key or token."""
    return RefusedError(reason, error_answer(401, why, ("WWW-Authenticate", "Bearer")))


def issuer_unknown() -> RefusedError:
    """No token can be checked: not 401, since the client's may be good."""
    return RefusedError("issuer", error_answer(503, "No token can be checked yet.", _RETRY_SOON, close=True))


def not_ready(service_name: str) -> RefusedError:
    """`init()` has not ended yet."""
    message = f"No ready replicas for service {service_name}."
    return RefusedError("starting", error_answer(503, message, _RETRY_SOON, close=True))


def overloaded(service_name: str) -> RefusedError:
    """The queue is full, or no slot became free in time."""
    message = f"Too many requests for service {service_name} (overloaded)"
    return RefusedError("overloaded", error_answer(503, message, _RETRY_SOON, close=True))


def body_too_large(limit: int | None) -> RefusedError:
    """The body has more bytes than the limit."""
    message = f"The request's body is larger than the limit of {limit} bytes."
    return RefusedError("size", error_answer(413, message, close=True))


def body_incomplete() -> RefusedError:
    """The client went away, stalled, or broke the framing."""
    message = "The request's body did not arrive completely."
    return RefusedError("body", error_answer(400, message, close=True))


def replica_closed() -> Answer:
    """The script's process has ended during the call, which is no refusal; in v1's words."""
    return error_answer(502, "Replica closed connection before replying", run_failed=True)
