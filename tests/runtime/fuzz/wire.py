"""Bytes to a server over a real socket; what comes back is read by a parser that takes only sound HTTP."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass

import h11
from tests.runtime.server_process import PATIENCE_SECONDS

_CLOSED = (h11.MUST_CLOSE, h11.CLOSED)


@dataclass(frozen=True)
class WireAnswer:
    """One whole answer. Names of headers are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    closes: bool

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each == name), None)


def exchange(port: int, pieces: Sequence[bytes]) -> bytes:
    """Send the pieces one by one, say that no more will come, and return all that comes back until the end.

    A server that has answered and closed may reset what is still being sent: what it said before counts.
    """
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    """Return all that still comes until the server closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def answers(received: bytes, methods: Sequence[str]) -> list[WireAnswer]:
    """Return the answers to requests with these methods, in order; further ones are taken for answers to GET.

    Raises:
        h11.RemoteProtocolError: this is no sequence of whole, well-formed answers.
    """
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(received)
    connection.receive_data(b"")
    found: list[WireAnswer] = []
    while _left(connection):
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        # To this parser all that matters of a request is whether its answer has a body.
        asked = h11.Request(method="HEAD" if method == "HEAD" else "GET", target="/", headers=[("Host", "x")])
        connection.send(asked)
        connection.send(h11.EndOfMessage())
        found.append(_answer(connection))
        if connection.their_state in _CLOSED:
            break
        connection.start_next_cycle()
    if left := _left(connection):
        raise h11.RemoteProtocolError(f"Bytes after the last answer: {left[:200]!r}")
    return found


def _left(connection: h11.Connection) -> bytes:
    return bytes(connection.trailing_data[0])


def _answer(connection: h11.Connection) -> WireAnswer:
    head: h11.Response | None = None
    body = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            break
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError(f"The answer ends early: {event!r}")
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
    closes = any(name == "connection" and value.lower() == "close" for name, value in headers)
    return WireAnswer(head.status_code, headers, body, closes)
