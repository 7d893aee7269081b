"""Bytes to a server and back, for what an HTTP client would not send."""

import socket

from tests.runtime.server_process import PATIENCE_SECONDS, Server


def raw(server: Server, request: bytes, half_close: bool = False) -> bytes:
    """Send bytes and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
