"""Sends one request over a connection of its own and reads the answer as it came."""

import http.client
import socket
from dataclasses import dataclass

from tests.runtime.differential.cases.case import Ask
from tests.runtime.server_process import PATIENCE_SECONDS

CLOSED = "connection closed without an answer"


@dataclass(frozen=True)
class Reply:
    """An answer; `status` is 0 where the connection was closed without one.

    Args:
        status: HTTP's.
        reason: the words after it.
        headers: as they came, in order.
        body: without the transfer's own framing.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def send(ask: Ask, port: int) -> Reply:
    """Return the answer to a request."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        connection.sendall(ask.message)
        answer = http.client.HTTPResponse(connection, method=ask.method)
        try:
            answer.begin()
            body = answer.read()
        except (http.client.HTTPException, ConnectionError) as error:
            return Reply(0, "", (), f"{CLOSED} ({type(error).__name__})".encode())
        return Reply(answer.status, answer.reason, tuple(answer.getheaders()), body)
