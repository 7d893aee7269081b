"""Requests as script processes see them, for the tests."""

from collections.abc import Mapping
from urllib.parse import urlencode

from gpu_inference_script.request import Request


def request(
    method: str = "POST",
    query: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Request:
    """Return a request for a score."""
    target = "/score" + (f"?{urlencode(query, doseq=True)}" if query else "")
    sent = {"Host": "service.example", **(headers or {})}
    return Request(
        method, target, "HTTP/1.1", list(sent.items()), body, ("127.0.0.1", 1), ("127.0.0.1", 5001)
    )
